"""Step records: what a step got, gave and took, kept cheaply and stored compactly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import msgspec

from runtime.errors import IntegrationError
from runtime.store.runs import error_record

__all__ = ["StepRecord", "StepRecords", "pack_steps"]

#: Longer payloads are cut, in bytes of JSON each.
PAYLOAD_LIMIT = 4000
#: A document that takes more steps (a loop) keeps the first ones.
STEPS_LIMIT = 200


class StepRecord:
    """One step of one document; a context manager that takes the time and keeps the error."""

    __slots__ = ("connection", "error", "input", "kind", "ms", "note", "output", "started", "step")

    def __init__(self, step: str, kind: str) -> None:
        self.step = step
        #: ``oa.create_approval``, ``map``, ``if`` …
        self.kind = kind
        #: Of a call: the connection's name.
        self.connection = ""
        self.input: Any = None
        self.output: Any = None
        self.error: IntegrationError | None = None
        self.note = ""
        self.ms = 0.0
        self.started = 0.0

    def __enter__(self) -> StepRecord:
        self.started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.ms = (time.perf_counter() - self.started) * 1000
        if isinstance(error, IntegrationError):
            self.error = error


class StepRecords(list[StepRecord]):
    """The steps of one document, in the order in which they began."""

    def begin(self, step: str, kind: str) -> StepRecord:
        """A new record; beyond the limit it is not kept."""
        record = StepRecord(step, kind)
        if len(self) < STEPS_LIMIT:
            self.append(record)
        return record


def pack_steps(records: Sequence[StepRecord]) -> bytes:
    """JSON for the table ``run_documents``; it runs where the database is written, not on the event loop."""
    return msgspec.json.encode([_pack(record) for record in records])


def _pack(record: StepRecord) -> dict[str, Any]:
    packed: dict[str, Any] = {"step": record.step, "kind": record.kind, "ms": round(record.ms, 1)}
    if record.input is not None:
        packed["input"] = _payload(record.input)
    if record.output is not None:
        packed["output"] = _payload(record.output)
    if record.error is not None:
        packed["error"] = error_record(record.error)
    if record.note:
        packed["note"] = record.note
    return packed


def _payload(value: Any) -> msgspec.Raw | str:
    """JSON as it is, or its beginning as text where it is too long."""
    try:
        text = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(value)
    except (TypeError, ValueError, RecursionError):
        return str(value)[:PAYLOAD_LIMIT]
    if len(text) <= PAYLOAD_LIMIT:
        return msgspec.Raw(text)
    return text[:PAYLOAD_LIMIT].decode("utf-8", "ignore") + "…"
