"""The path of a request: entity set, key, what is asked of the entity; and keys written back into addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from .faults import ServiceFault, bad_request
from .rows import Key
from .schema import EntityType

__all__ = ["Resource", "key_text", "parse_key", "parse_resource"]

_SEGMENT: Final = re.compile(r"(?P<name>[$\w.]+)(?:\((?P<key>.*)\))?", re.DOTALL)
_VALUE: Final = r"'(?:[^']|'')*'|-?[0-9]{1,18}"
_NAMED: Final = re.compile(rf"\s*(\w+)\s*=\s*({_VALUE})\s*(?:,|$)")


@dataclass(frozen=True)
class Resource:
    """``name(key)/tail/value`` without the service root, percent encoding removed."""

    name: str
    #: The text between the parentheses, or None.
    key: str | None = None
    #: Further segments: an action, a property, ``$count``, ``$value``.
    tail: tuple[str, ...] = ()


def parse_resource(path: str) -> Resource:
    """Split a path that is still percent-encoded; a slash inside a quoted key does not end the segment.

    :raises ServiceFault: 404 where the path is malformed
    """
    segments, depth, start = [], False, 0
    text = unquote(path).strip("/")
    for at, character in enumerate(text):
        if character == "'":
            depth = not depth
        elif character == "/" and not depth:
            segments.append(text[start:at])
            start = at + 1
    segments.append(text[start:])
    if not text:
        return Resource("")
    match = _SEGMENT.fullmatch(segments[0])
    if match is None:
        raise ServiceFault(404, 205, "Unrecognized resource path.")
    return Resource(match["name"], match["key"], tuple(part for part in segments[1:] if part))


def parse_key(text: str, entity_type: EntityType) -> Key:
    """A key in any of its forms: ``5``, ``'a''b'``, ``CardCode='c',ItemCode='i'`` in any order.

    :raises ServiceFault: 400 where it is malformed, incomplete or of the wrong type
    """
    names = entity_type.key
    found: dict[str, str] = {}
    if len(names) == 1 and re.fullmatch(_VALUE, text.strip()):
        found[names[0]] = text.strip()
    else:
        at = 0
        while at < len(text):
            match = _NAMED.match(text, at)
            if match is None:
                raise _malformed(text)
            found[match[1]] = match[2]
            at = match.end()
    if set(found) != set(names):
        raise _malformed(text)
    values = tuple(_value(found[name], entity_type, name) for name in names)
    return values[0] if len(values) == 1 else values


def key_text(key: Key, entity_type: EntityType) -> str:
    """The key as it stands between the parentheses of an address, percent-encoded."""
    values = key if isinstance(key, tuple) else (key,)
    texts = [str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'" for value in values]
    if len(texts) == 1:
        return quote(texts[0], safe="'")
    return quote(",".join(f"{name}={text}" for name, text in zip(entity_type.key, texts, strict=True)), safe="'=,")


def _value(text: str, entity_type: EntityType, name: str) -> int | str:
    quoted = text.startswith("'")
    if entity_type.properties[name].kind == "int":
        if quoted:
            raise _malformed(text)
        return int(text)
    if not quoted:
        raise _malformed(text)
    return text[1:-1].replace("''", "'")


def _malformed(text: str) -> ServiceFault:
    return bad_request(f"Bad key value: {text}", -1000)
