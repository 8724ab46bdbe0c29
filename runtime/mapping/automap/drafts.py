"""Drafts: what a field is called depends on the document that a draft will be; what selects the drafts says which."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Final

from runtime.mapping.automap.fields import Source
from runtime.mapping.automap.lexicon import lines

__all__ = ["as_document"]

_DRAFTS: Final = "Drafts"
_HEADER: Final = "odrf"
_LINES: Final = "drf1"
#: ``DocObjectCode eq '22'``, ``T0."ObjType" = '22'``
_KIND: Final = re.compile(r"\b(?:DocObjectCode|ObjType)\b[\"'`\]]?\s*(?:eq\b|=)\s*N?'?(?P<kind>\w+)", re.IGNORECASE)


def as_document(source: Source, selection: str) -> Source:
    """A field of drafts as the same field of the document they will be; any other field, or of drafts of more than one
    kind, as it is.

    :param selection: what selects the rows: a filter of the Service Layer, or a statement
    """
    kinds = {_kinds().get(found["kind"].casefold()) for found in _KIND.finditer(selection)}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        return source
    entity, header, rows = kind
    table = {_HEADER: header, _LINES: rows}.get(source.table.casefold(), source.table)
    return replace(source, entity=entity if source.entity == _DRAFTS else source.entity, table=table)


@cache
def _kinds() -> dict[str, tuple[str, str, str]]:
    found: dict[str, tuple[str, str, str]] = {}
    for line in lines("drafts.txt"):
        code, member, entity, header, rows = (cell.strip() for cell in line.split("|"))
        found |= dict.fromkeys((code, member.casefold()), (entity, header, rows))
    return found
