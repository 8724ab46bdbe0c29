"""A connection's form, generated from its connector's settings model."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runtime.connectors.settings import ConnectorSettings, HttpSettings

__all__ = ["FormField", "assemble", "environment_name", "form_fields"]

#: Settings of the common base that a first set-up seldom needs.
_COMMON = frozenset(HttpSettings.model_fields) - {"base_url"}


@dataclass(frozen=True, kw_only=True)
class FormField:
    """One setting of a connection as a person fills it in."""

    name: str
    zh: str
    en: str
    kind: Literal["text", "secret", "flag", "integer", "number", "choice"]
    required: bool
    default: Any
    choices: tuple[str, ...] = ()
    #: How a value may look.
    example: str = ""
    #: Shown behind "more settings".
    advanced: bool = False


def form_fields(model: type[ConnectorSettings]) -> list[FormField]:
    """The fields in the model's order, ``base_url`` first."""
    fields = [_form_field(name, info) for name, info in model.model_fields.items()]
    return sorted(fields, key=lambda field: (field.name != "base_url", field.advanced))


def assemble(kind: str, fields: list[FormField], values: Mapping[str, Any]) -> dict[str, Any]:
    """The connection document from what was filled in.

    An empty secret is left out (the stored one stays), an empty optional setting too (its default holds).
    """
    document: dict[str, Any] = {"kind": kind}
    for field in fields:
        value = values.get(field.name)
        if value is None or (value == "" and (field.kind == "secret" or not field.required)):
            continue
        document[field.name] = value.strip() if isinstance(value, str) and field.kind != "secret" else value
    return document


def environment_name(stored: Any) -> str:
    """The environment variable that a secret is taken from, or an empty text."""
    return str(stored.get("env", "")) if isinstance(stored, Mapping) else ""


def _form_field(name: str, info: FieldInfo) -> FormField:
    annotation = _plain(info.annotation)
    choices: tuple[str, ...] = ()
    if typing.get_origin(annotation) is Literal:
        choices = tuple(map(str, typing.get_args(annotation)))
    default = None if info.default is PydanticUndefined else info.default
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return FormField(
        name=name,
        zh=info.title or name,
        en=info.description or name,
        kind=_kind(annotation, choices),
        required=info.is_required(),
        default=None if isinstance(default, SecretStr) else default,
        choices=choices,
        example=str(next(iter(info.examples or ()), "")),
        advanced=name in _COMMON or bool(extra.get("advanced")),
    )


def _plain(annotation: Any) -> Any:
    """``X | None`` → ``X``."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(annotation) if option is not type(None)]
        return options[0]
    return annotation


def _kind(
    annotation: Any, choices: tuple[str, ...]
) -> Literal["text", "secret", "flag", "integer", "number", "choice"]:
    if choices:
        return "choice"
    kinds: dict[Any, Literal["secret", "flag", "integer", "number"]] = {
        SecretStr: "secret", bool: "flag", int: "integer", float: "number",
    }  # fmt: skip
    return kinds.get(annotation, "text")
