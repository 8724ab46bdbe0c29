"""What the steps of a run share: the run, the frame of the element at hand, and who performs calls."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Awaitable, Callable
from collections.abc import Mapping as AnyMapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from runtime.connectors.actions import Action, ActionParams
from runtime.connectors.base import Connector
from runtime.connectors.events import Event
from runtime.engine.circuit import Breaker, Circuits
from runtime.engine.pool import Lease
from runtime.engine.records import StepRecord, StepRecords
from runtime.engine.request import RunRequest
from runtime.errors import BadMapping, IntegrationError
from runtime.mapping.choosing import choices, choose_connections
from runtime.mapping.mapper import MappedForm, Mapper
from runtime.mapping.models import Mapping, Response
from runtime.store.columns import utc_now

if TYPE_CHECKING:
    from runtime.engine.document import Document

__all__ = [
    "Answer",
    "Call",
    "Element",
    "Frame",
    "Interrupted",
    "Origin",
    "Performer",
    "Rows",
    "Run",
    "Skipped",
    "StepFunction",
    "Stopped",
    "Stream",
    "Turn",
    "choice_scope",
]

#: Variables by name; a frame's own, changed in place by ``set`` and by results.
Variables = dict[str, Any]
StepFunction = Callable[["Frame", Variables], Awaitable[None]]


class Stopped(Exception):
    """A ``stop`` step: the flow (inside ``each``: the element) ends here, without an error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Skipped(Exception):
    """The document is not touched in this run; the reason is one text for people, Chinese and English.

    :param warning: something in the set-up makes it come back in vain: the run's note says so
    """

    def __init__(self, zh: str, en: str, *, warning: bool = False) -> None:
        super().__init__(zh, en)
        self.reason = f"{zh} | {en}"
        self.warning = warning


class Interrupted(Exception):
    """The run was asked to stop: no further step begins."""


#: Whoever holds it may make a call: it bounds how many are made at a time.
Turn = AbstractAsyncContextManager[None]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an action, ready to be made."""

    #: Its place in the flow: ``approval``, ``draft/lines[3]/oa.comment``.
    step: str
    connector: Connector[Any]
    action: Action
    #: What the mapping gave, and the same after validation.
    values: Variables
    params: ActionParams
    record: StepRecord
    #: Held while it is under way: see :attr:`Frame.turn`.
    turn: Turn


@dataclass(frozen=True)
class Origin:
    """The read that rows came from, so that one of them can be read again."""

    action: Action
    params: ActionParams
    #: Whose documents they are: ``connection/entity#identity``.
    source: str

    @property
    def query(self) -> str:
        """Tells one way of asking from another: a hash of the parameters."""
        return hashlib.blake2b(repr(self.params).encode(), digest_size=16).hexdigest()


class Stream:
    """Rows on their way: can be gone through once."""

    def __init__(self, rows: Any, origin: Origin) -> None:
        self.rows = rows
        self.origin = origin


class Rows(list[dict[str, Any]]):
    """Rows that were collected."""

    def __init__(self, rows: list[dict[str, Any]], origin: Origin) -> None:
        super().__init__(rows)
        self.origin = origin


@dataclass(frozen=True, kw_only=True)
class Element:
    """One document of an outermost ``each`` with a key."""

    item: Any
    key: Any
    #: The same as text: its name in the ledger.
    key_text: str
    #: Whose document it is; '' where the rows do not come from a read.
    source: str
    origin: Origin | None
    #: Tells the key of a row, to find this one among others.
    key_of: Callable[[Any], str]


class Answer:
    """The answer of a flow; shared by all of its frames."""

    def __init__(self) -> None:
        self.response: Response | None = None


class Performer(Protocol):
    """Who carries calls out: for real and with the ledger, or for a preview."""

    async def read(self, frame: Frame, call: Call) -> Any:
        """Make a call that changes nothing.

        :raises CallbackRejected: it contradicts the event that the run is about
        """

    async def change(self, frame: Frame, call: Call) -> Any:
        """Make a call that changes something."""

    def map(self, frame: Frame, record: StepRecord, step: str, mapper: Mapper, scope: Variables) -> MappedForm:
        """Fill a form."""

    async def open(self, frame: Frame, element: Element) -> Any:
        """Begin a document: gives the frame its place in the ledger and returns the row to work with.

        :raises Skipped: it must not be touched now
        :raises OutcomeUnknown: a person has to decide first
        """

    def close(self, frame: Frame, outcome: Outcome) -> None:
        """End a document, or the steps outside (position 0)."""

    def abandon(self, frame: Frame) -> None:
        """The task of the document was cancelled in the middle of a call."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a document ended: ``done failed skipped unknown stopped``."""

    state: str
    position: int
    key: str
    item: Any
    started_at: datetime
    elapsed_ms: int
    error: IntegrationError | None = None
    note: str = ""
    #: Skipped by a ``stop`` step.
    stopped: bool = False
    #: Whether the key is the document's own; else it is its position.
    keyed: bool = False


class Run:
    """One run of a flow.

    :raises MappingFailed: a connection is to be chosen, and what is asked for is not in the list
    """

    def __init__(
        self,
        mapping: Mapping,
        flow: str,
        *,
        run_id: str,
        request: RunRequest,
        lease: Lease,
        performer: Performer,
        circuits: Circuits | None = None,
    ) -> None:
        self.mapping = mapping
        self.flow = flow
        self.run_id = run_id
        #: Everything it reads is read after this (UTC).
        self.began_at = utc_now()
        self.request = request
        self.performer = performer
        #: Role → name of the connection that plays it, from the first step to the last.
        asked = request.cause in ("manual", "http") or request.request is not None
        self.connections = choose_connections(
            mapping,
            flow,
            choice_scope(mapping, input=request.input if asked else None, request=request.request),
            read_from=request.read_from,
        )
        self.total = self.done = self.failed = self.skipped = self.unknown = 0
        #: Asked to stop, by the caller or by :attr:`fault`.
        self.stopping = False
        #: What stopped the run although only one document met it: the set-up is wrong for all of them.
        self.fault: IntegrationError | None = None
        #: What the first document that failed met.
        self.problem: IntegrationError | None = None
        #: The other system does not confirm the event that the run is about: nothing may be made of it.
        self.contradicted = False
        #: Why no further document is taken up; those in progress go on to their end.
        self.closed: IntegrationError | None = None
        #: The first document that was skipped with a warning, and how many were.
        self.warning = ""
        self.warned = 0
        #: Sources in the ledger whose documents were all looked at.
        self.exhausted: dict[str, str] = {}
        self.breaker = Breaker(circuits if circuits is not None else Circuits(), lease)
        self._lease = lease
        self._position = 0

    def variables(self, document: Any = None) -> Variables:
        """The variables that every flow begins with.

        :param document: key of the document that the event's approval belongs to
        """
        zone = ZoneInfo(self.mapping.timezone)
        start: Variables = {
            "settings": self.mapping.settings,
            "now": datetime.now(zone),
            "run_id": self.run_id,
            "input": dict(self.request.input),
            "choices": choices(self.mapping),
        }
        if self.request.event is not None:
            start["event"] = _event_variable(self.request.event, document, zone)
        if self.request.request is not None:
            start["request"] = dict(self.request.request)
        return start

    def connection_name(self, role: str) -> str:
        """Name of the connection that plays a role.

        :raises BadMapping: the mapping gives the role no connection
        """
        name = self.connections.get(role)
        if not name:
            raise BadMapping(
                f"映射没有为角色 {role} 指定连接",
                f"The mapping gives the role {role} no connection",
                where=f"{self.mapping.id} connections.{role}",
            )
        return name

    async def connector(self, role: str) -> Connector[Any]:
        """The live connector of a role."""
        return await self._lease.get(self.connection_name(role))

    async def connector_named(self, name: str) -> Connector[Any] | None:
        """The live connector of a connection, if it plays a role in this run."""
        return await self._lease.get(name) if name in self.connections.values() else None

    def next_position(self) -> int:
        """The number of the next document, from 1."""
        self._position += 1
        return self._position

    def taken(self) -> int:
        """How many documents were taken up."""
        return self._position

    def fail(self, error: IntegrationError) -> None:
        """What one document met is wrong for all: no further document begins."""
        self.fault = self.fault or error
        self.stopping = True

    def warn(self, document: str, reason: str) -> None:
        """A document was skipped because of the set-up; the note names the first one."""
        self.warned += 1
        self.warning = self.warning or f"{document}: {reason}"

    def count(self, state: str) -> None:
        """One document ended."""
        self.total += 1
        if state != "stopped":
            setattr(self, state, getattr(self, state) + 1)

    def counts(self) -> dict[str, int]:
        """``total done failed skipped unknown``."""
        return {name: getattr(self, name) for name in ("total", "done", "failed", "skipped", "unknown")}


@dataclass(kw_only=True)
class Frame:
    """Where in a run a step is carried out: which document, which element of which loop."""

    run: Run
    #: What stands before the label of a step: ``draft/lines[3]/``.
    prefix: str
    records: StepRecords
    answer: Answer
    #: Place in the ledger of the document at hand.
    document: Document | None = None
    #: Whether that place ends with this frame.
    owns_document: bool = False
    #: Inside an ``each``: faults belong to the whole document.
    nested: bool = False
    #: Sub-flows around this one.
    depth: int = 0
    #: Taken by each call, so that a document that waits for the ledger makes room for another one.
    turn: Turn = field(default_factory=nullcontext)

    def inner(self, **changes: Any) -> Frame:
        """This frame with some changes."""
        frame = copy.copy(self)
        for name, value in changes.items():
            setattr(frame, name, value)
        return frame


def choice_scope(
    mapping: Mapping, *, input: AnyMapping[str, Any] | None, request: AnyMapping[str, Any] | None
) -> Variables:
    """The variables that the choice of a connection may depend on."""
    given = {"settings": mapping.settings, "input": input, "request": request}
    return {name: dict(value) for name, value in given.items() if value is not None}


def _event_variable(event: Event, document: Any, zone: ZoneInfo) -> Variables:
    finished = event.finished_at
    return {
        "type": event.type,
        "instance_id": event.instance_id,
        "form": event.form,
        "outcome": event.outcome.value if event.outcome is not None else None,
        "approver": event.approver,
        "finished_at": finished.astimezone(zone) if finished is not None else None,
        "document": document,
        "raw": dict(event.raw),
    }
