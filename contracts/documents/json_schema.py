"""How the models become JSON Schema: without defaults.

`default: null` says nothing, and generators of clients read any default as "always there": members
that a client may leave out became required. What holds when one is left out is in its description.
"""

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class Published(GenerateJsonSchema):
    """The schemas of the published documents."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """The schema of the value itself."""
        return self.generate_inner(schema["schema"])
