"""The JSON Schema of the mapping document, for editors and other programs."""

from __future__ import annotations

from typing import Any, Final

from runtime.mapping.models import Mapping
from runtime.mapping.transforms import TRANSFORMS

__all__ = ["mapping_schema"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: Objects of which exactly one of some keys is given, which pydantic checks in code.
_EXACTLY_ONE: Final = {
    "FieldLink": ("from", "value"),
    "Schedule": ("every", "cron"),
    "Trigger": ("schedule", "event", "http", "manual"),
}


def mapping_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of format 1, made from the models themselves."""
    schema = Mapping.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    for name, keys in _EXACTLY_ONE.items():
        definitions[name]["oneOf"] = [{"required": [key]} for key in keys]
        for key in keys:
            if key != "value":
                _without_null(definitions[name]["properties"][key])
    definitions["FieldLink"]["properties"]["through"]["items"] = {"$ref": "#/$defs/Transform"}
    definitions["Transform"] = _transform_schema()
    schema["required"] = ["format", *schema.get("required", ())]
    return {"$schema": _DIALECT, "title": "B1 integration mapping, format 1"} | {
        key: value for key, value in schema.items() if key != "title"
    }


def _without_null(property_schema: dict[str, Any]) -> None:
    """A key that counts by being there cannot be null."""
    members = [member for member in property_schema.pop("anyOf", ()) if member.get("type") != "null"]
    property_schema.pop("default", None)
    if len(members) == 1:
        property_schema.update(members[0])


def _transform_schema() -> dict[str, Any]:
    bare = [transform.name for transform in TRANSFORMS.values() if not transform.argument_required]
    return {
        "title": "Transform",
        "anyOf": [
            {"enum": bare},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
                "properties": {
                    transform.name: {
                        **transform.argument,
                        "title": transform.zh,
                        "description": f"{transform.en}. {transform.argument_en}",
                    }
                    for transform in TRANSFORMS.values()
                    if transform.argument is not None
                },
            },
        ],
    }
