"""JSON with decimals: every number with a fraction is read as :class:`~decimal.Decimal` and written as it was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

__all__ = ["dumps", "loads", "object_of"]


def loads(text: bytes | str, number: Callable[[str], Decimal] = Decimal) -> Any:
    """Parse JSON; integers become ``int``, numbers with a fraction or exponent ``Decimal``.

    :param number: reads a number with a fraction or exponent
    :raises ValueError: the text is not JSON (``msgspec.DecodeError`` is a ``ValueError``)
    """
    try:
        return msgspec.json.Decoder(float_hook=number).decode(text)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON; ``Decimal`` is written as a plain number, dates as ISO 8601.

    :raises TypeError: the value holds something that JSON has no form for
    """
    return msgspec.json.Encoder(decimal_format="number").encode(value)


def object_of(value: Any) -> Mapping[str, Any]:
    """An object, given as such or written as JSON in a string; empty when it is neither."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
