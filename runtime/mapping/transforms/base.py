"""What a transform is, and how its argument is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.errors import MappingFailed
from runtime.mapping.values import shown

__all__ = [
    "NO_ARGUMENT",
    "OBJECT_OF_TEXT",
    "TEXT",
    "Change",
    "Transform",
    "a_list",
    "integer_argument",
    "text_argument",
    "text_pairs",
]

Change = Callable[[Any], Any]

#: Stands for an argument that was not given; null can be an argument.
NO_ARGUMENT: Final = object()

TEXT: Final[Mapping[str, Any]] = {"type": "string"}
OBJECT_OF_TEXT: Final[Mapping[str, Any]] = {"type": "object", "additionalProperties": {"type": "string"}}


@dataclass(frozen=True, kw_only=True)
class Transform:
    """One named transform, with what a person needs to know to choose it."""

    name: str
    #: Title, Chinese and English.
    zh: str
    en: str
    #: From the argument (or :data:`NO_ARGUMENT`) and the mapping's time zone, the function that changes a value.
    #: ValueError: the argument is wrong.
    function: Callable[[Any, ZoneInfo], Change]
    #: JSON Schema of the argument; None = it takes none.
    argument: Mapping[str, Any] | None = None
    argument_required: bool = False
    #: What the argument means.
    argument_zh: str = ""
    argument_en: str = ""
    #: Makes one value of a list.
    aggregate: bool = False


def text_argument(argument: Any, default: str | None = None) -> str:
    """The argument as text.

    :raises ValueError: it is something else
    """
    if argument is NO_ARGUMENT and default is not None:
        return default
    if not isinstance(argument, str):
        raise ValueError("not a text")
    return argument


def integer_argument(argument: Any, low: int, high: int) -> int:
    """The argument as a whole number between two bounds.

    :raises ValueError: it is something else
    """
    if type(argument) is not int or not low <= argument <= high:
        raise ValueError("not a whole number in range")
    return argument


def text_pairs(argument: Any) -> dict[str, str]:
    """The argument as an object whose values are all text.

    :raises ValueError: it is something else
    """
    if not isinstance(argument, dict) or not argument or not all(isinstance(item, str) for item in argument.values()):
        raise ValueError("not an object of texts")
    return dict(argument)


def a_list(value: Any) -> list[Any]:
    """The elements of a list.

    :raises MappingFailed: it is something else
    """
    if isinstance(value, list | tuple):
        return list(value)
    raise MappingFailed(f"{shown(value)} 不是列表", f"{shown(value)} is not a list")
