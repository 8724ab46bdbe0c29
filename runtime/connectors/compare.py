"""Whether two ways of writing a value mean the same: what a request submitted, and what the other system gives back."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from runtime import jsontext

__all__ = ["all_same", "parsed", "same_rows", "same_value", "text_of"]

#: A date, with or without a time. What else begins like one (``2026-11-23-001``) is the number of a document.
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d\S*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


def all_same(verdicts: Iterable[bool | None]) -> bool | None:
    """One verdict out of many: a difference decides, then an agreement; None when nothing could be compared."""
    known = list(verdicts)
    if False in known:
        return False
    return True if True in known else None


def same_value(submitted: Any, returned: Any) -> bool | None:
    """Equal, different, or None: values of different kinds may be two ways of writing the same thing."""
    if returned in (None, ""):
        return None
    here, there = _kind(submitted), _kind(returned)
    if here == there:
        return True
    return False if type(here) is type(there) and not isinstance(here, list | dict) else None


def same_rows(submitted: Sequence[Mapping[str, Any]], returned: Sequence[Mapping[str, Any]] | None) -> bool | None:
    """The same for a table: as many rows, and in each row the same under every name that was submitted."""
    if returned is None:
        return None
    if len(submitted) != len(returned):
        return False
    return all_same(
        same_value(value, there.get(name))
        for here, there in zip(submitted, returned, strict=True)
        for name, value in here.items()
    )


def parsed(value: Any) -> Any:
    """The list or object that a string holds as JSON; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return jsontext.loads(value)
        except ValueError:
            return value
    return value


def text_of(value: Any) -> str:
    """Text as it is, None as nothing, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else jsontext.dumps(value).decode()


def _kind(value: Any) -> Any:
    """A value in comparable form: list or object, date, decimal, or text without markup and spacing differences."""
    value = parsed(value)
    if isinstance(value, list | dict):
        return value
    text = " ".join(html.unescape(text_of(value)).split())
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text[:10])
        return Decimal(text) if _NUMBER.fullmatch(text) else text
    except ValueError:
        return text
