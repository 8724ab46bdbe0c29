"""HANA's functions for SQLite, as far as integrations use them. Dates are ``YYYY-MM-DD``, with a time after a blank."""

from __future__ import annotations

import calendar
import math
import re
import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

__all__ = ["FUNCTIONS", "NATIVE", "PREFIX", "iso_date", "register"]

#: What the functions of this module are called inside SQLite, so that none of them hides one of SQLite's own.
PREFIX: Final = "hana_"

#: Functions that SQLite carries out itself in HANA's sense: HANA's name -> SQLite's.
NATIVE: Final[dict[str, str]] = {
    **{name: name for name in ("COUNT", "SUM", "AVG", "MIN", "MAX", "COALESCE", "IFNULL", "NULLIF", "ABS", "LENGTH")},
    **{name: name for name in ("UPPER", "LOWER", "TRIM", "LTRIM", "RTRIM", "REPLACE", "ROUND", "SUBSTRING")},
    **{name: name for name in ("ROW_NUMBER", "RANK", "DENSE_RANK", "LAG", "LEAD")},
    **{"SUBSTR": "SUBSTRING", "UCASE": "UPPER", "LCASE": "LOWER", "STRING_AGG": "GROUP_CONCAT"},
}

_COMPACT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)")
_FORMAT: Final = re.compile(r"YYYY|YY|MM|DD|HH24|HH12|HH|MI|SS|MONTH|MON", re.IGNORECASE)
_STRFTIME: Final = {
    **{"YYYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d", "HH24": "%H", "HH12": "%I", "HH": "%H"},
    **{"MI": "%M", "SS": "%S", "MONTH": "%B", "MON": "%b"},
}


def iso_date(text: str) -> str:
    """``20231020``, ``2023-10-20`` or either with a time behind it -> ``2023-10-20``.

    :raises ValueError: it is no date
    """
    return _moment(text).date().isoformat()


def register(connection: sqlite3.Connection) -> None:
    """Make the functions known to a connection."""
    for name, function in FUNCTIONS.items():
        connection.create_function(f"{PREFIX}{name.lower()}", -1, _null_in_null_out(name, function), deterministic=True)


def _null_in_null_out(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if name == "MAP":
        return function

    def call(*arguments: Any) -> Any:
        return None if any(argument is None for argument in arguments) else function(*arguments)

    return call


def _moment(value: Any) -> datetime:
    text = str(value).strip()
    compact = _COMPACT.match(text)
    if compact and len(text) in {8, 14, 15}:
        text = "-".join(compact.groups()) + text[8:]
    return datetime.fromisoformat(text.replace("/", "-"))


def _pattern(template: str) -> str:
    return _FORMAT.sub(lambda match: _STRFTIME[match[0].upper()], template.replace("%", "%%"))


def _to_varchar(value: Any, template: Any = None) -> str:
    if isinstance(template, str) and _FORMAT.search(template):
        return _moment(value).strftime(_pattern(template))
    if isinstance(value, float):
        return f"{value:.6f}"  # B1's amounts and quantities are DECIMAL(21,6)
    text = str(value)
    return text if template is None else text[: int(template)]


def _fixed(value: Any, scale: int) -> str:
    return str(Decimal(str(value)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP))


def _to_date(value: Any, template: str | None = None) -> str:
    if template is None:
        return iso_date(str(value))
    return datetime.strptime(str(value), _pattern(template)).date().isoformat()


def _to_timestamp(value: Any, template: str | None = None) -> str:
    moment = _moment(value) if template is None else datetime.strptime(str(value), _pattern(template))
    return moment.isoformat(sep=" ", timespec="seconds")


def _to_integer(value: Any) -> int:
    return int(Decimal(str(value)))


def _to_decimal(value: Any, precision: int = 34, scale: int | None = None) -> float | int:
    return float(value) if scale is None else float(_fixed(value, scale))


def _shifted(value: Any, by: timedelta) -> str:
    moment = _moment(value) + by
    has_time = len(str(value)) > 10 or by % timedelta(days=1)
    return moment.isoformat(sep=" ", timespec="seconds") if has_time else moment.date().isoformat()


def _add_months(value: Any, months: int) -> str:
    moment = _moment(value)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return date(year, month + 1, day).isoformat() + str(value)[10:]


def _last_day(value: Any) -> str:
    moment = _moment(value)
    return date(moment.year, moment.month, calendar.monthrange(moment.year, moment.month)[1]).isoformat()


def _pad(value: Any, size: int, filler: str = " ", *, left: bool) -> str:
    text = str(value)[:size]
    padding = (filler * size)[: size - len(text)]
    return padding + text if left else text + padding


def _map(value: Any, *pairs: Any) -> Any:
    for at in range(0, len(pairs) - 1, 2):
        if pairs[at] == value:
            return pairs[at + 1]
    return pairs[-1] if len(pairs) % 2 else None


#: HANA's name -> what it does. A null among the arguments gives null, except in MAP.
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    **dict.fromkeys(("TO_VARCHAR", "TO_NVARCHAR", "TO_CHAR", "TO_ALPHANUM"), _to_varchar),
    **dict.fromkeys(("TO_INTEGER", "TO_INT", "TO_BIGINT", "TO_SMALLINT"), _to_integer),
    **dict.fromkeys(("TO_TIMESTAMP", "TO_SECONDDATE", "TO_DATETIME"), _to_timestamp),
    "FIXED": _fixed,
    "TO_DATE": _to_date,
    "TO_DATS": lambda value: iso_date(str(value)).replace("-", ""),
    "TO_DECIMAL": _to_decimal,
    "TO_DOUBLE": float,
    "ADD_DAYS": lambda value, days: _shifted(value, timedelta(days=days)),
    "ADD_SECONDS": lambda value, seconds: _shifted(value, timedelta(seconds=seconds)),
    "ADD_MONTHS": _add_months,
    "ADD_YEARS": lambda value, years: _add_months(value, 12 * years),
    "DAYS_BETWEEN": lambda start, end: (_moment(end).date() - _moment(start).date()).days,
    "SECONDS_BETWEEN": lambda start, end: int((_moment(end) - _moment(start)).total_seconds()),
    "LAST_DAY": _last_day,
    "YEAR": lambda value: _moment(value).year,
    "MONTH": lambda value: _moment(value).month,
    "DAYOFMONTH": lambda value: _moment(value).day,
    "WEEKDAY": lambda value: _moment(value).weekday(),
    "LEFT": lambda value, size: str(value)[:size],
    "RIGHT": lambda value, size: str(value)[-size:] if size else "",
    "LPAD": lambda value, size, filler=" ": _pad(value, size, filler, left=True),
    "RPAD": lambda value, size, filler=" ": _pad(value, size, filler, left=False),
    "CONCAT": lambda first, second: f"{first}{second}",
    "LOCATE": lambda text, part: str(text).find(str(part)) + 1,
    **dict.fromkeys(("CEIL", "CEILING"), math.ceil),
    "FLOOR": math.floor,
    "MOD": math.fmod,
    "GREATEST": max,
    "LEAST": min,
    "MAP": _map,
}
