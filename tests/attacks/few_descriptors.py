"""`python -m tests.attacks.few_descriptors N`: the edge in a process that may open N descriptors."""

import resource
import runpy
import sys

if __name__ == "__main__":
    allowed = int(sys.argv.pop())  # the edge takes no arguments
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    runpy.run_module("ingest", run_name="__main__")
