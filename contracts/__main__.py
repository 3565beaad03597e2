"""`python -m contracts`: write OpenAPI, AsyncAPI and JSON Schemas anew from the models."""

from contracts.documents import write

if __name__ == "__main__":
    write()
