"""`python -m contracts`: write OpenAPI, AsyncAPI and JSON Schemas anew from the models."""

import argparse

from contracts.documents.write import write

if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m contracts", description=__doc__).parse_args()
    write()
