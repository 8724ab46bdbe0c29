"""What a person knows a row of a preview by; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.engine.preview import PreviewDocument

__all__ = ["row_name"]


def row_name(document: PreviewDocument, settings: Mapping[str, Any]) -> str:
    """Its key. Rows that are sent together are documents without one: what the key field holds, or the key of the
    record that is changed for it, else the row's number. Empty for what happens outside all rows.

    :param settings: those of the mapping; ``key`` names the key field
    """
    if document.keyed or not document.key:
        return document.key
    row = document.row if isinstance(document.row, Mapping) else {}
    keys = [row.get(str(settings.get("key", ""))), *(sent.key for sent in document.sent)]
    return next((str(key) for key in keys if key not in (None, "")), document.key)
