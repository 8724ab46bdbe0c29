"""What a run is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.connectors.events import Event
from runtime.errors import IntegrationError
from runtime.mapping.models import Response

__all__ = ["Cause", "Counts", "Progress", "RunRequest", "RunSummary"]

Cause = Literal["schedule", "event", "http", "manual"]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Documents of a run: taken up, and how they ended."""

    total: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0


@dataclass(frozen=True, kw_only=True)
class Progress(Counts):
    """Where a run stands; its source is streamed, so nobody knows how many are to come."""

    #: Key of the document that has just ended.
    document: str = ""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Why a flow runs, and with what."""

    cause: Cause
    #: The variable ``input`` of a run by hand.
    input: Mapping[str, Any] = field(default_factory=dict)
    #: The variable ``event``.
    event: Event | None = None
    #: Name of the connection that reported the event; empty = the one of the flow's own trigger.
    connection: str = ""
    #: The variable ``request`` of an HTTP flow: ``method path query headers body``. It is not stored with the run.
    request: Mapping[str, Any] | None = None
    #: Take up at most so many documents.
    limit: int | None = None
    #: Take up only the document of this key.
    only: str | None = None
    #: The connection that this document was read from; it stands in for a choice that nobody is there to make.
    read_from: str = ""
    #: A name under which the whole run has its place in the ledger: a second run of the same name repeats no effect.
    #: Empty = the event's key, if there is an event.
    document_key: str = ""
    #: Id of the queued run that this is.
    run_id: str | None = None
    #: Called on the event loop after every document.
    progress: Callable[[Progress], None] | None = None


@dataclass(frozen=True, kw_only=True)
class RunSummary(Counts):
    """What came of a run.

    ``state``: ``succeeded``; ``partial`` = some documents failed or are unknown; ``failed`` = the run ended with
    ``error``, or no document got through; ``stopped`` = asked to stop.
    """

    run_id: str
    state: Literal["succeeded", "partial", "failed", "stopped"]
    error: IntegrationError | None = None
    #: What the first document that failed met.
    problem: IntegrationError | None = None
    #: Why the flow stopped early, if it did so on purpose.
    note: str = ""
    #: The answer of an HTTP flow; its status is a number.
    response: Response | None = None
