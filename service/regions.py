"""Which regions AWS has, as the installed botocore knows them; a newer one comes with its upgrade.

Only its list of partitions is read, 7 kB, when the first subscription is stored: its clients, and
its tables of endpoints of more than a megabyte, have no place in an edge.
"""

import importlib.resources
import json
from functools import cache

from contracts.destinations import SqsDestination
from contracts.problems import Problem


@cache
def _regions() -> dict[str, frozenset[str]]:
    text = (importlib.resources.files("botocore") / "data" / "partitions.json").read_bytes()
    return {
        partition["id"]: frozenset(
            name
            for name in partition["regions"]
            if not name.endswith("-global")  # of no place
        )
        for partition in json.loads(text)["partitions"]
    }


def require_region(destination: SqsDestination, pointer: str) -> None:
    """Raise `Problem` 405 when the ARN, which stands at `pointer`, names a region that AWS does not have."""
    region, partition = destination.region, destination.aws_partition
    if region in _regions().get(partition, ()):
        return
    detail = (
        f"names a region of {len(region)} characters that the partition of"
        f" {len(partition)} characters does not have"
    )
    error = {"pointer": pointer, "detail": detail, "size": len(destination.arn)}
    raise Problem(405, "1 field broke the contract.", errors=[error])
