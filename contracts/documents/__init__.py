"""What others read: OpenAPI, AsyncAPI, JSON Schema, and the promise that they keep."""
