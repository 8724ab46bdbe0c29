"""Python's garbage collector, set for a process that works through many short-lived documents."""

from __future__ import annotations

import gc

__all__ = ["calm_collector"]

#: Objects made before the young ones are looked through: a document leaves few cycles behind, and many objects.
_YOUNG = 20_000


def calm_collector() -> None:
    """Call it once everything is imported: what is there now stays, and is not looked through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
