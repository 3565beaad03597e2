"""`python -m docs.make`: write the generated pages of docs/reference/ anew."""

import argparse

from docs.make import REFERENCE, pages, tables

if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m docs.make", description=__doc__).parse_args()
    for name, text in (pages() | {"tables.md": tables.page(tables.described())}).items():
        (REFERENCE / name).write_text(text)
