"""HTTP requests that report the end of an approval: stored before anything else, then carried out from the inbox.

The caller waits for the flow's answer for a while. If there is none, because the other system is down for instance,
nothing is lost: the report stays in the inbox and is carried out like every event, and the same request sent again
finds it there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from typing import Any

from runtime import jsontext
from runtime.connectors.events import Event
from runtime.engine.context import choice_scope
from runtime.engine.request import RunRequest, RunSummary
from runtime.errors import BadMapping, Conflict, IntegrationError, RetryLater
from runtime.mapping.choosing import choose_connections
from runtime.mapping.models import Mapping
from runtime.service.answering import answer_of_failure, answer_of_run, answer_of_storing
from runtime.service.dispatcher import Dispatcher, failure_of
from runtime.service.idempotency import Idempotency, Outcome, RequestKey
from runtime.service.intake import Intake
from runtime.service.requests import report_patience, reported_event
from runtime.store.answers import StoredAnswer
from runtime.store.inbox import REPORTED, InboxEvent, ledger_key

__all__ = ["Carried", "Reports"]


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What became of a report so far."""

    #: The flow's own answer, if it gave one.
    answer: StoredAnswer | None = None
    #: What kept it from being carried out; None = it was.
    failure: IntegrationError | None = None
    #: Whether it is tried again without anybody's help.
    repeats: bool = False


class Reports:
    """Stands between the callers of HTTP flows, who want an answer, and the inbox, which loses nothing."""

    def __init__(self, dispatcher: Dispatcher, idempotency: Idempotency, intake: Intake) -> None:
        self._dispatcher = dispatcher
        self._idempotency = idempotency
        self._intake = intake
        #: Callers that wait, by the key of the stored event.
        self._waiting: dict[str, asyncio.Future[Carried]] = {}

    async def answer(
        self, mapping: Mapping, flow: str, asked: AnyMapping[str, Any], event: Event, key: RequestKey
    ) -> tuple[StoredAnswer, bool]:
        """Store a report and wait for what comes of it; the answer, and whether it is one that was given before.

        :param asked: the variable ``request``
        :param event: what it reports
        :raises RequestRejected: its key belongs to another request
        :raises IntegrationError: it could not be stored, or not be carried out, and the trigger does not say what to
            answer then
        """
        event = _stored(mapping, flow, asked, event, key)
        patience = report_patience(mapping, flow, asked)
        connection = _connection_of(mapping, flow, asked)
        known = await self._idempotency.known(key)
        if known is not None:
            return known, True
        waiting = self._waiting.setdefault(event.key, asyncio.get_running_loop().create_future())
        try:
            stands = await self._intake.store_report(connection, event)
        except IntegrationError:
            self._waiting.pop(event.key, None)
            raise
        if not stands:
            self._waiting.pop(event.key, None)
            raise Conflict(
                "该审批之后又报告过一次，以后一次为准",
                "The approval was reported once more after this; the later report stands",
                where=event.instance_id,
            )
        done, _ = await asyncio.wait([waiting], timeout=patience)
        if not done:
            return answer_of_storing(mapping, flow, asked), False
        carried = waiting.result()
        if carried.answer is not None:
            return carried.answer, False
        error = carried.failure or RetryLater("尚无答复", "There is no answer yet")
        return answer_of_failure(mapping, flow, asked, error, repeats=carried.repeats), False

    async def carry_out(self, item: InboxEvent, mapping: Mapping, flow: str) -> Carried:
        """Carry a stored report out.

        One that was carried out and answered before, in a life that ended too soon to take that down, is done.
        """
        asked, key = item.event.raw["request"], item.event.raw["key"]
        summary: RunSummary | None = None

        async def carry_out() -> Outcome:
            nonlocal summary
            summary = await self._dispatcher.run(
                mapping,
                flow,
                RunRequest(
                    cause="event",
                    event=reported_event(mapping, flow, asked),
                    connection=item.connection,
                    request=asked,
                    input=asked["body"] if isinstance(asked["body"], dict) else {},
                    document_key=ledger_key(item.event),
                ),
            )
            return answer_of_run(mapping, flow, summary)

        try:
            answer, _ = await self._idempotency.once(RequestKey(mapping=mapping.id, flow=flow, **key), carry_out)
        except IntegrationError as error:
            return Carried(failure=error)
        return Carried(answer=answer, failure=failure_of(summary) if summary is not None else None)

    def ended(self, item: InboxEvent, carried: Carried) -> None:
        """An attempt is over: tell those who wait."""
        waiting = self._waiting.pop(item.event.key, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(carried)


def _stored(mapping: Mapping, flow: str, asked: AnyMapping[str, Any], event: Event, key: RequestKey) -> Event:
    """The event under which a report is stored: it goes back to this flow, with the whole request."""
    same = jsontext.dumps([mapping.id, flow, key.key, key.digest])
    return replace(
        event,
        key=f"http {event.instance_id} {hashlib.blake2b(same, digest_size=16).hexdigest()}",
        type=f"{REPORTED}{flow}",
        form=mapping.id,
        raw={"request": dict(asked), "key": {"key": key.key, "digest": key.digest}},
    )


def _connection_of(mapping: Mapping, flow: str, asked: AnyMapping[str, Any]) -> str:
    role = mapping.flows[flow].trigger.event_role
    given = asked["body"] if isinstance(asked["body"], dict) else {}
    found = choose_connections(mapping, flow, choice_scope(mapping, input=given, request=asked)).get(role)
    if found is None:
        raise BadMapping(
            f"无法确定审批所在的连接“{role}”",
            f"Which connection {role!r} means cannot be told",
            where=f"{mapping.id}/{flow} trigger.http.event",
        )
    return found
