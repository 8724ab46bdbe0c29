"""What other systems report: a callback as it came in, the events that it stands for, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["CallbackReply", "CallbackRequest", "Event", "Outcome", "Received"]


class Outcome(StrEnum):
    """How an approval ended."""

    AGREED = "agreed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class CallbackRequest:
    """An HTTP request as it came in; query and header names in lower case."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class CallbackReply:
    """What to answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened in the other system, normalised."""

    #: Unique per connection: a redelivery has the same key.
    key: str
    #: ``approval.started``, ``approval.finished`` (agreed, refused or withdrawn), ``approval.deleted``, or a
    #: connector's own type.
    type: str
    instance_id: str = ""
    #: Form (process code, template id, workflow id) that it belongs to.
    form: str = ""
    outcome: Outcome | None = None
    #: The OA's user id of who decided last, if the event says.
    approver: str = ""
    #: UTC, or None where the event does not say.
    finished_at: datetime | None = None
    #: The decrypted message itself.
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A verified callback: what it reports (nothing for an address check), and the acknowledgement to send once the
    events are safely stored."""

    events: tuple[Event, ...]
    reply: CallbackReply
