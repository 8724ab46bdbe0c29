"""OData spelling, the same for versions 3 and 4: literals, keys, query strings, next links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from runtime.errors import BadConnection, ValueRefused

__all__ = ["Key", "conjunction", "key_path", "literal", "next_url", "parse_key", "query_string"]

#: One key value, or name -> value for a composite key.
Key = int | str | Decimal | dict[str, Any]

_PART = re.compile(r"(?:(\w+)=)?('(?:[^']|'')*'|[^,']+)(?:,|$)")
_RESOURCE = re.compile(r"(?:^|/)(\w+)\((.*)\)$", re.DOTALL)


def literal(value: Any) -> str:
    """A value as it stands in ``$filter`` and in keys: text in quotes with inner quotes doubled, dates as quoted
    ``'YYYY-MM-DD'``, numbers plain, ``true``, ``false``, ``null``.

    :raises ValueRefused: the value has no OData spelling
    """
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return str(value)
        case Decimal() if value.is_finite():
            return format(value, "f")
        case datetime():
            return f"'{value.isoformat(timespec='seconds')}'"
        case date() | time():
            return f"'{value.isoformat()}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
    raise ValueRefused(
        f"{type(value).__name__} 类型的值不能用于查询或主键",
        f"a value of type {type(value).__name__} can stand neither in a filter nor in a key",
    )


def key_path(entity: str, key: Key) -> str:
    """``Items('a%27%27b')``, ``Orders(5)``, ``SpecialPrices(CardCode='c',ItemCode='i')``: percent-encoded."""
    if isinstance(key, dict):
        inner = ",".join(f"{name}={literal(value)}" for name, value in key.items())
    else:
        inner = literal(key)
    return f"{quote(entity, safe='/')}({quote(inner, safe='=,')})"


def parse_key(resource: str) -> Key | None:
    """The key at the end of a resource's address (as in ``Location``), or None where there is none."""
    found = _RESOURCE.search(unquote(urlsplit(resource).path))
    if found is None:
        return None
    parts = list(_PART.finditer(found[2]))
    if not parts or sum(len(part[0]) for part in parts) != len(found[2]):
        return None
    if parts[0][1] is None:
        return _value(parts[0][2]) if len(parts) == 1 else None
    return {part[1]: _value(part[2]) for part in parts}


def _value(text: str) -> int | str:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def conjunction(*conditions: str | None) -> str | None:
    """Conditions joined by ``and``, each in its own parentheses; empty ones are left out."""
    given = [condition for condition in conditions if condition and condition.strip()]
    if len(given) < 2:
        return given[0] if given else None
    return " and ".join(f"({condition})" for condition in given)


def query_string(options: Mapping[str, str | int | None]) -> str:
    """``?$filter=…&$top=5`` without the options that are None; empty when none is left."""
    given = [f"{name}={quote(str(value), safe=_QUERY_SAFE)}" for name, value in options.items() if value is not None]
    return "?" + "&".join(given) if given else ""


#: Readable in a log, and unambiguous inside a query value.
_QUERY_SAFE = "$(),:'*/"


def next_url(root: str, link: str) -> str:
    """Where a next link leads: relative ones are relative to the service root.

    :param root: service root without a final slash
    :raises BadConnection: the link leads to another host, which must not get our session
    """
    url = urljoin(f"{root}/", link)
    theirs = urlsplit(url)
    if _origin(url) != _origin(root):
        raise BadConnection(
            "下一页的链接指向另一台主机，已拒绝",
            "The link to the next page leads to another host and is not followed",
            where=f"{theirs.scheme}://{theirs.netloc}",
        )
    return url


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
