"""The tenant's name: one canonical form, wherever it is written."""

import re
from functools import lru_cache

TENANT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_tenant = re.compile(TENANT_PATTERN.replace("$", r"\Z"))


@lru_cache(maxsize=4096)
def is_tenant(name: str) -> bool:
    """Whether `name` may be a tenant: 1 to 64 ASCII letters, digits, `.`, `_`, `-`; case counts."""
    return _tenant.match(name) is not None
