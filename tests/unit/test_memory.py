"""Freed buffers are reused: measured by the page faults that fresh memory costs."""

import platform
import subprocess
import sys

import pytest

REPEATED = """
import resource, sys
from service.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
for n in range(10):
    batch = [b"%d" % n * (1 << 20) for _ in range(20)]
    del batch
    if n == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how: str) -> int:
    found = subprocess.run(
        [sys.executable, "-c", REPEATED, how], check=True, capture_output=True, timeout=60
    )
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the settings")
def test_buffers_that_were_freed_cost_no_new_pages() -> None:
    assert _faults("kept") * 3 < _faults("returned")
