"""Filters of expressions (``{{ value | odata }}``) beyond Jinja's own; those named like a transform do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

from runtime import jsontext
from runtime.config import DEFAULT_TIMEZONE
from runtime.errors import MappingFailed
from runtime.mapping.transforms import compile_transform
from runtime.mapping.transforms.rows import total
from runtime.mapping.values import is_blank, to_number, to_text

__all__ = ["FILTERS", "bounded", "defined", "join_texts", "odata_literal", "replace_text"]

#: Longest text or list that an expression may make.
_LONGEST: Final = 1_000_000


def odata_literal(value: Any) -> str:
    """A value as an OData literal, quoted so that it cannot leave its place in a ``$filter``.

    Text in single quotes with quotes doubled, numbers plain, ``true`` / ``false``, ``null``, dates as
    ``'YYYY-MM-DD'`` (OData 4.0 URL conventions, "Primitive Literals"; dates as the Service Layer compares them).

    :raises MappingFailed: a list, an object, or anything else without a literal
    """
    match value:
        case None:
            return "null"
        case bool() | Decimal() | float():
            return to_text(value)
        case str():
            text = to_text(value)
            if any(ord(sign) < 32 for sign in text):
                raise MappingFailed("过滤条件里不能有控制字符", "A filter cannot hold control characters")
            return "'" + text.replace("'", "''") + "'"
        case int():
            return to_text(value)
        case datetime():
            return f"'{value.date().isoformat()}'"
        case date():
            return f"'{value.isoformat()}'"
    raise MappingFailed(f"{type(value).__name__} 不能写进过滤条件", f"A {type(value).__name__} has no OData literal")


def defined(value: Any) -> Any:
    """The value; for a missing one the error that names it."""
    if isinstance(value, Undefined):
        str(value)
    return value


def _json(value: Any) -> str:
    try:
        return jsontext.dumps(defined(value)).decode()
    except (TypeError, ValueError, OverflowError) as error:
        raise MappingFailed("值不能写成 JSON", "The value has no JSON form") from error


def _from_json(value: Any) -> Any:
    try:
        return jsontext.loads(to_text(defined(value)))
    except ValueError as error:
        raise MappingFailed("文本不是 JSON", "The text is not JSON") from error


def _sum(values: Any, attribute: str | None = None) -> int | Decimal:
    items = list(defined(values))
    return total(items if attribute is None else [item[attribute] for item in items])


@pass_context
def _date(context: Context, value: Any, pattern: str = "YYYY-MM-DD") -> Any:
    now = context.resolve_or_missing("now")
    zone = getattr(getattr(now, "tzinfo", None), "key", DEFAULT_TIMEZONE)
    return compile_transform({"date": pattern}, timezone=zone)(defined(value))


def _round(value: Any, places: int = 0) -> Any:
    rounded = compile_transform({"round": places})(defined(value))
    return int(rounded) if places == 0 and rounded is not None else rounded


def _int(value: Any, default: Any = 0) -> Any:
    return default if is_blank(defined(value)) else int(to_number(value))


def bounded(length: int) -> None:
    """Refuse what would not fit in memory before it is made.

    :raises MappingFailed: longer than a million characters or elements
    """
    if length > _LONGEST:
        raise MappingFailed("计算结果过大", "The result is too large")


def join_texts(separator: str, values: Any) -> str:
    """Single values joined to one text; empty ones are skipped."""
    texts = [to_text(value) for value in defined(values) if not is_blank(defined(value))]
    bounded(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def replace_text(value: Any, old: str, new: str) -> str | None:
    """The text with every ``old`` replaced."""
    if defined(value) is None:
        return None
    text = to_text(value)
    bounded(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _join(values: Any, separator: str = "") -> str | None:
    return None if defined(values) is None else join_texts(separator, values)


def _named(values: Any) -> dict[Any, Any]:
    """The fields whose name is not empty: a setting that names no field leaves nothing to write."""
    if not isinstance(defined(values), dict):
        raise MappingFailed("named 只用于对象", "named is for objects only")
    return {name: value for name, value in values.items() if not is_blank(name)}


def _same_as_transform(name: str) -> Callable[..., Any]:
    def apply(value: Any, *argument: Any) -> Any:
        spec = {name: argument[0]} if argument else name
        return compile_transform(spec)(defined(value))

    return apply


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "date": _date,
    "from_json": _from_json,
    "int": _int,
    "join": _join,
    "json": _json,
    "named": _named,
    "odata": lambda value: odata_literal(defined(value)),
    "replace": replace_text,
    "round": _round,
    "string": _same_as_transform("text"),
    "sum": _sum,
    **{
        name: _same_as_transform(name)
        for name in ("lookup", "lower", "number", "required", "split", "text", "trim", "truncate", "upper", "yes_no")
    },
}
