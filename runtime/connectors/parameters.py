"""Kinds of parameters that the actions of several systems take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator

from runtime.connectors.files import File

__all__ = ["AnyUser", "Files", "FormValues", "Mobile", "UserId", "UserIds", "blank_is_none", "listed"]


def listed(value: Any) -> Any:
    """One value as a list of one, nothing as an empty one."""
    return () if value in (None, "") else (value,) if isinstance(value, str | int) else value


def blank_is_none(value: Any) -> Any:
    """Empty text, as an unfilled setting yields it, is nothing."""
    return None if value == "" else value


def _identifier(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = value.get("user_id")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _mobile(value: Any) -> Any:
    text = re.sub(r"[\s-]", "", str(_identifier(value))) if isinstance(value, str | int) else value
    return re.sub(r"^(\+|00)86(?=1\d{10}$)", "", text) if isinstance(text, str) else text


def _files(value: Any) -> tuple[File, ...]:
    listed = value if isinstance(value, list | tuple) else [] if value in (None, "") else [value]
    if not all(isinstance(item, File) for item in listed):
        raise ValueError("files come from an action that reads attachments, in the same run")
    return tuple(listed)


def _form_values(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("the values of a form are named values, as a map step yields them")
    return value


#: A user id of the company; numbers are taken as text, and of what ``find_user`` yields the id.
UserId = Annotated[str, BeforeValidator(_identifier), Field(min_length=1)]
#: User ids; a bare one is a list of one.
UserIds = Annotated[tuple[UserId, ...], BeforeValidator(listed)]
#: A mapped form, kept as the object it is: it carries its controls.
FormValues = Annotated[Mapping[str, Any], PlainValidator(_form_values)]
#: A user id, or empty.
AnyUser = Annotated[str, BeforeValidator(_identifier)]
#: A mobile number as people write it, without spaces and hyphens, and without the country's +86.
Mobile = Annotated[str, BeforeValidator(_mobile)]
#: Files, as the action ``attachment`` of B1 yields them.
Files = Annotated[tuple[File, ...], PlainValidator(_files)]
