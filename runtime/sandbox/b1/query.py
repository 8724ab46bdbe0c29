"""Reading a set: filter, order, paging with a relative next link, counts, selection and expansion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any, Final
from urllib.parse import unquote_plus

from .faults import ServiceFault, bad_request, invalid_property
from .filters import Filter, compile_filter
from .rows import Key, Row, RowSet
from .schema import EntityType, Schema

__all__ = ["DEFAULT_PAGE", "Expansion", "Page", "QueryOptions", "page_size", "read_options", "read_page", "selected"]

#: Rows in one answer unless the client prefers another number.
DEFAULT_PAGE: Final = 20


@dataclass(frozen=True)
class Expansion:
    """One navigation property to show in full."""

    name: str
    select: frozenset[str] | None


@dataclass(frozen=True, kw_only=True)
class QueryOptions:
    """The system query options of one request."""

    filter: Filter | None = None
    order: tuple[tuple[str, bool], ...] = ()
    select: frozenset[str] | None = None
    expand: tuple[Expansion, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    #: The options as they were sent, still encoded, in order.
    sent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Page:
    """Rows of one answer."""

    rows: list[Row]
    #: Matches before ``$skip`` and ``$top``; None unless asked for.
    count: int | None = None
    #: Query of the next page, or None on the last one.
    next_query: str | None = None


def page_size(prefer: str) -> int:
    """Rows in one answer by the ``Prefer`` header; 0 = all of them."""
    for item in prefer.replace(";", ",").split(","):
        name, _, value = item.strip().partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() in {"odata.maxpagesize", "maxpagesize"} and re.fullmatch(r"[0-9]{1,9}", value):
            return int(value)
    return DEFAULT_PAGE


def read_options(query: str, entity_type: EntityType, schema: Schema, *, ignore_case: bool = False) -> QueryOptions:
    """Parse the query part of an address; what is no system query option is ignored, ``$maxpagesize`` as well.

    :raises ServiceFault: an option is malformed or names something unknown
    """
    sent = tuple((name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part))
    options = {unquote_plus(name): unquote_plus(value) for name, value in sent}
    text = options.get("$filter", "").strip()
    return QueryOptions(
        filter=compile_filter(text, entity_type, ignore_case=ignore_case) if text else None,
        order=_order(options.get("$orderby", ""), entity_type),
        select=selected(options.get("$select", ""), entity_type),
        expand=_expand(options.get("$expand", ""), entity_type, schema),
        top=_number(options, "$top"),
        skip=_number(options, "$skip") or 0,
        count=options.get("$inlinecount") == "allpages" or options.get("$count") == "true",
        sent=sent,
    )


def read_page(rows: RowSet, entity_type: EntityType, options: QueryOptions, size: int) -> Page:
    """The rows of one answer; stops as soon as it knows whether another page follows."""
    limit = size or None
    if options.top is not None:
        limit = options.top if limit is None else min(limit, options.top)
    more_wanted = options.top is None or (limit is not None and options.top > limit)
    wanted = None if limit is None else options.skip + limit + (1 if more_wanted else 0)
    matches, total = _matches(rows, entity_type, options, None if options.count else wanted)
    picked = matches[options.skip : None if limit is None else options.skip + limit]
    follows = limit is not None and more_wanted and len(matches) > options.skip + limit
    next_query = _next_query(options, len(picked)) if follows else None
    return Page([rows.rows[key] for key in picked], total if options.count else None, next_query)


def selected(text: str, entity_type: EntityType) -> frozenset[str] | None:
    """Names of ``$select``; None = everything.

    :raises ServiceFault: an unknown property, or one of a line: lines cannot be picked from
    """
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if not names or "*" in names:
        return None
    for name in names:
        if name not in entity_type.properties and name not in entity_type.navigation:
            raise invalid_property(name, entity_type.name)
    return names


def _matches(
    rows: RowSet, entity_type: EntityType, options: QueryOptions, wanted: int | None
) -> tuple[Sequence[Key], int]:
    """Keys of the matching rows in order, as many as wanted, and how many there are (when all were looked at)."""
    keys, backwards = _candidates(rows, entity_type, options)
    by_key = backwards is not None
    found: Sequence[Key]
    if options.filter is None:
        found = keys[::-1] if backwards else keys
    else:
        test, stored, limit = options.filter.test, rows.rows, wanted if by_key else None
        kept: list[Key] = []
        for key in reversed(keys) if backwards else keys:
            if test(stored[key]):
                kept.append(key)
                if limit is not None and len(kept) >= limit:
                    break
        found = kept
    if not by_key:
        found = _sorted(found, rows.rows, options.order)
    return found, len(found)


def _candidates(rows: RowSet, entity_type: EntityType, options: QueryOptions) -> tuple[Sequence[Key], bool | None]:
    """Keys that can match, ascending; and whether to read them backwards, or None if they must be sorted."""
    key_name = entity_type.key[0] if len(entity_type.key) == 1 else ""
    backwards: bool | None = False
    if options.order:
        name, descending = options.order[0]
        backwards = descending if name == key_name else None
    low: Any = None
    high: Any = None
    low_open = high_open = False
    for name, operator, value in options.filter.required if options.filter else ():
        found = rows.lookup(name, value) if operator == "eq" else None
        if found is not None:
            return found, backwards
        if name != key_name:
            continue
        if operator in {"gt", "ge", "eq"} and (low is None or value >= low):
            low, low_open = value, operator == "gt"
        if operator in {"lt", "le", "eq"} and (high is None or value <= high):
            high, high_open = value, operator == "lt"
    return rows.ordered(low, high, low_open=low_open, high_open=high_open), backwards


def _sorted(keys: Iterable[Key], rows: Mapping[Key, Row], order: tuple[tuple[str, bool], ...]) -> list[Key]:
    """Nulls first when ascending; equal rows stay in key order."""

    def compare(a: Key, b: Key) -> int:
        for name, descending in order:
            x, y = rows[a].get(name), rows[b].get(name)
            if x == y:
                continue
            less = x is None or (y is not None and x < y)
            return -1 if less != descending else 1
        return 0

    return sorted(keys, key=cmp_to_key(compare))


def _next_query(options: QueryOptions, shown: int) -> str:
    """The options as sent, ``$top`` reduced by what was shown, and ``$skip`` at the end."""
    parts = []
    for name, value in options.sent:
        plain = unquote_plus(name)
        if plain == "$skip":
            continue
        parts.append(f"$top={(options.top or 0) - shown}" if plain == "$top" else f"{name}={value}")
    return "&".join([*parts, f"$skip={options.skip + shown}"])


def _order(text: str, entity_type: EntityType) -> tuple[tuple[str, bool], ...]:
    order = []
    for item in text.split(","):
        words = item.split()
        if not words:
            continue
        if len(words) > 2 or (len(words) == 2 and words[1].lower() not in {"asc", "desc"}):
            raise bad_request(f"Bad orderby query: {text}", -1000)
        prop = entity_type.properties.get(words[0])
        if prop is None or prop.kind == "lines":
            raise invalid_property(words[0], entity_type.name)
        order.append((words[0], len(words) == 2 and words[1].lower() == "desc"))
    return tuple(order)


def _expand(text: str, entity_type: EntityType, schema: Schema) -> tuple[Expansion, ...]:
    expansions, depth, start = [], 0, 0
    for at, character in enumerate(f"{text},"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character != "," or depth:
            continue
        item, start = text[start:at].strip(), at + 1
        if not item:
            continue
        name, _, inner = item.partition("(")
        navigation = entity_type.navigation.get(name.strip())
        if navigation is None:
            sentence = (
                f"Cannot expand invalid navigation property '{name.strip()}' for entity type '{entity_type.name}'"
            )
            raise ServiceFault(400, 201, sentence)
        select = inner.rstrip(")").partition("$select=")[2]
        expansions.append(Expansion(navigation.name, selected(select, schema.type_of(navigation.target))))
    return tuple(expansions)


def _number(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\s*[0-9]{1,18}\s*", text):
        raise bad_request(f"Bad value for query option {name}: {text}", -1000)
    return int(text)
