"""Named places at which a test may end this process as a power cut would: see ``tests/faults/``.

Nothing happens unless the environment names a point: ``B1_FAULT_POINT=after_call`` or, for the third time that it is
reached, ``B1_FAULT_POINT=after_call:3``.
"""

from __future__ import annotations

import itertools
import os
import signal
from enum import StrEnum
from typing import Final

__all__ = ["VARIABLE", "FaultPoint", "reach"]

#: Environment variable that arms a point: ``name`` or ``name:nth``.
VARIABLE: Final = "B1_FAULT_POINT"


class FaultPoint(StrEnum):
    """Where a document or an event can be torn from our hands."""

    #: The intent of a ``create`` is committed between these two.
    BEFORE_INTENT = "before_intent"
    AFTER_INTENT = "after_intent"
    #: The ``create`` is sent and answered between these two.
    BEFORE_CALL = "before_call"
    AFTER_CALL = "after_call"
    #: The answer of a ``create`` is committed between these two.
    BEFORE_RESULT = "before_result"
    AFTER_RESULT = "after_result"
    #: An ``update`` is sent and answered between these two: the mark on a draft, a verdict, its remarks.
    BEFORE_WRITE_BACK = "before_write_back"
    AFTER_WRITE_BACK = "after_write_back"
    #: A verified callback, or an event of a stream, is committed between these two.
    BEFORE_INBOX_INSERT = "before_inbox_insert"
    AFTER_INBOX_INSERT = "after_inbox_insert"
    #: The answer to it leaves between these two.
    BEFORE_ACKNOWLEDGE = "before_acknowledge"
    AFTER_ACKNOWLEDGE = "after_acknowledge"
    #: A group of writes is committed between these two; the second one is before anybody hears of it.
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"


class _Armed:
    """The point named in the environment, and how often it was reached."""

    def __init__(self, text: str) -> None:
        name, _, nth = text.partition(":")
        self.point = FaultPoint(name)
        self._nth = int(nth or 1)
        self._passed = itertools.count(1)

    def reach(self) -> None:
        if next(self._passed) == self._nth:
            os.kill(os.getpid(), signal.SIGKILL)


_ARMED: Final = _Armed(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def reach(point: FaultPoint) -> None:
    """End this process here and now if the environment says so."""
    if _ARMED is not None and point is _ARMED.point:
        _ARMED.reach()
