"""Values as text, numbers and moments: one set of rules for transforms, expressions and checks.

Numbers are ``int`` or :class:`~decimal.Decimal`; a ``float`` that comes in is taken by its shortest decimal notation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runtime import jsontext
from runtime.errors import BadMapping, MappingFailed

__all__ = [
    "NUMBERS",
    "is_blank",
    "members",
    "open_zone",
    "plain_number",
    "short_number",
    "shown",
    "to_date",
    "to_number",
    "to_text",
]

#: Exact for every number that :func:`to_number` lets through; the default context would round at 28 digits.
NUMBERS = Context(
    prec=300, rounding=ROUND_HALF_UP, Emax=9999, Emin=-9999, traps=[InvalidOperation, DivisionByZero, Overflow]
)
#: A number with more places than this before or behind the point is a mistake or an attack.
_PLACES = 100
_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_DAY = re.compile(r"(\d{4})(-?)(\d{2})\2(\d{2})", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4}-?\d{2}-?\d{2})[T ](\d{2}):(\d{2})(?::(\d{2}))?(?:[.,]\d{1,9})?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = re.compile(r"-?(\d{9,10}|\d{12,13})", re.ASCII)
#: Epoch numbers from here on are milliseconds.
_MILLISECONDS = 10**11


def is_blank(value: Any) -> bool:
    """Nothing at all: None, text without a visible character, an empty list or object."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, list | tuple | dict) and not value)


def members(value: Any) -> Sequence[Any]:
    """The members of a list, of a JSON array in a text, or the one value itself."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = jsontext.loads(value)
        except ValueError:
            return (value,)
    return value if isinstance(value, list | tuple) else (value,)


def shown(value: Any) -> str:
    """A value as it may stand in an error message: short, quotes included for text."""
    text = repr(str(value) if isinstance(value, Decimal | date) else value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def plain_number(number: Decimal) -> str:
    """Digits without exponent.

    :raises MappingFailed: not a finite number, or one with more than a hundred places
    """
    if not number.is_finite() or abs(number.adjusted()) > _PLACES or -int(number.as_tuple().exponent) > _PLACES:
        raise MappingFailed(f"{number:.5} 不是可用的数字", f"{number:.5} is not a usable number")
    return format(number, "f")


def short_number(text: str) -> Decimal:
    """A number as a system writes it that knows no scale: zeros at the end of its fraction say nothing.

    A form shows what was read, and 260 is what B1 shows where it answers ``260.0`` or the column holds ``260.000000``.
    """
    if text.endswith(".0"):
        # Nearly every number of a document, and there are hundreds.
        return Decimal(text[:-2]) or Decimal()
    if text.endswith("0") and "." in text and "e" not in text.lower():
        return Decimal(text.rstrip("0").removesuffix(".")) or Decimal()
    return Decimal(text)


def to_text(value: Any) -> str:  # noqa: PLR0911  # one line per type reads best
    """A single value as text: None is empty, numbers are plain digits, dates ISO 8601, truth ``true`` or ``false``.

    :raises MappingFailed: a list or an object, which has no text of its own
    """
    match value:
        case str():
            return value.value if isinstance(value, Enum) else value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            if abs(value) >= 10**_PLACES:
                raise MappingFailed("数字过大", "The number is too large")
            return str(int(value))
        case Decimal():
            return plain_number(value)
        case float():
            return plain_number(Decimal(repr(value)))
        case date() | time():
            return value.isoformat()
    if isinstance(value, dict):
        raise MappingFailed("对象不能当作文本", "An object cannot be used as text")
    if isinstance(value, list | tuple):
        raise MappingFailed(
            "列表不能当作文本；请先用 first、join、sum 或 count 合成一个值",
            "A list cannot be used as text; make it one value with first, join, sum or count",
        )
    raise MappingFailed(f"{type(value).__name__} 不能当作文本", f"A {type(value).__name__} cannot be used as text")


def to_number(value: Any) -> int | Decimal:
    """A number, or text that is one: sign, digits, thousands separators at the right places, point, exponent.

    :raises MappingFailed: anything else; truth values, infinities and empty text included
    """
    if type(value) is int:
        number: int | Decimal = value
    elif isinstance(value, Decimal):
        number = value
    elif isinstance(value, float):
        number = Decimal(repr(value))
    elif isinstance(value, str) and _is_number(text := value.strip()):
        digits = text.replace(",", "")
        number = Decimal(digits) if "." in digits or "e" in digits.lower() else int(digits)
    else:
        raise MappingFailed(f"{shown(value)} 不是数字", f"{shown(value)} is not a number")
    if isinstance(number, int):
        if abs(number) >= 10**_PLACES:
            raise MappingFailed("数字过大", "The number is too large")
        return number
    plain_number(number)
    exponent = number.as_tuple().exponent
    # 1E+3 would be written with its exponent by whoever calls str() on it.
    return NUMBERS.quantize(number, Decimal(1)) if isinstance(exponent, int) and exponent > 0 else number


def _is_number(text: str) -> bool:
    found = _NUMBER.fullmatch(text) if len(text) <= 3 * _PLACES else None
    return found is not None and bool(found[1] or (found[3] and len(found[3]) > 1))


def to_date(value: Any, zone: ZoneInfo) -> date:
    """A date, or a moment in the given zone.

    Taken as a plain date: ``YYYY-MM-DD``, ``YYYYMMDD`` (text or number), and midnight in UTC, which is how the Service
    Layer writes a date that has no zone (``2022-08-23T00:00:00Z``). A moment without offset is in ``zone`` already,
    one with an offset and an epoch number (seconds or milliseconds) are converted to it.

    :returns: :class:`~datetime.datetime` (aware) for a moment, plain :class:`~datetime.date` for a date
    :raises MappingFailed: anything else
    """
    try:
        found = _to_date(value, zone)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None:
        raise MappingFailed(f"{shown(value)} 不是日期", f"{shown(value)} is not a date")
    return found


def _to_date(value: Any, zone: ZoneInfo) -> date | None:
    if isinstance(value, datetime):
        return value.astimezone(zone) if value.tzinfo else value.replace(tzinfo=zone)
    if isinstance(value, date):
        return value
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        value = int(value)
    return _read_date(str(value).strip(), zone) if type(value) is int or isinstance(value, str) else None


def _read_date(text: str, zone: ZoneInfo) -> date | None:
    if day := _DAY.fullmatch(text):
        return date(int(day[1]), int(day[3]), int(day[4]))
    if moment := _MOMENT.fullmatch(text):
        return _moment(moment, zone)
    if _EPOCH.fullmatch(text):
        number = int(text)
        seconds = number / 1000 if abs(number) >= _MILLISECONDS else number
        return datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    return None


def _moment(found: re.Match[str], zone: ZoneInfo) -> date | None:
    day = _read_date(found[1], zone)
    clock = time(int(found[2]), int(found[3]), int(found[4] or 0))
    if day is None:
        return None
    local = datetime.combine(day, clock)
    offset = (found[5] or "").upper()
    if offset == "Z" and clock == time():
        return day
    if not offset:
        return day if clock == time() else local.replace(tzinfo=zone)
    return datetime.fromisoformat(f"{local.isoformat()}{'+00:00' if offset == 'Z' else offset}").astimezone(zone)


def open_zone(name: str, where: str = "") -> ZoneInfo:
    """The time zone with this IANA name.

    :raises BadMapping: there is none
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadMapping(
            f"没有“{name}”这个时区；请用 Asia/Shanghai 这样的名称",
            f"There is no time zone {name!r}; use a name like Asia/Shanghai",
            where=where,
        ) from error
