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
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from runtime import jsontext
from runtime.connectors.base import Connector
from runtime.connectors.events import Event, Outcome
from runtime.engine.context import choice_scope
from runtime.engine.pool import ConnectorPool
from runtime.engine.request import RunRequest, RunSummary
from runtime.engine.verdict import confirm_change
from runtime.errors import BadMapping, Conflict, IntegrationError, NotFound, RetryLater
from runtime.mapping.choosing import choose_connections
from runtime.mapping.models import Mapping
from runtime.service.answering import answer_of_failure, answer_of_run, answer_of_storing
from runtime.service.dispatcher import Dispatcher, failure_of
from runtime.service.idempotency import Idempotency, RequestKey
from runtime.service.idempotency import Outcome as Answered
from runtime.service.intake import Intake
from runtime.service.requests import report_patience, reported_event
from runtime.store.answers import StoredAnswer
from runtime.store.columns import utc_now
from runtime.store.inbox import BY_HAND, REPORTED, InboxEvent, ledger_key
from runtime.store.reports import Turn

__all__ = ["Carried", "Reports"]

#: After so long the other system keeps a verdict that it reported, if it ever does.
_KEPT_WITHIN = timedelta(minutes=10)


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

    def __init__(
        self, dispatcher: Dispatcher, idempotency: Idempotency, intake: Intake, connectors: ConnectorPool
    ) -> None:
        self._dispatcher = dispatcher
        self._connectors = connectors
        self._idempotency = idempotency
        self._intake = intake
        #: Callers that wait, by the key of the stored event.
        self._waiting: dict[str, asyncio.Future[Carried]] = {}
        #: By connection and approval: what a report means depends on those before it.
        self._in_order: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def answer(
        self, mapping: Mapping, flow: str, asked: AnyMapping[str, Any], event: Event, key: RequestKey, *, named: bool
    ) -> tuple[StoredAnswer, bool]:
        """Store a report and wait for what comes of it; the answer, and whether it is one that was given before.

        :param asked: the variable ``request``
        :param event: what it reports
        :param named: the caller or the mapping says by which key it is known; otherwise its content does
        :raises RequestRejected: its key belongs to another request
        :raises IntegrationError: it could not be stored, or not be carried out, and the trigger does not say what to
            answer then
        """
        patience = report_patience(mapping, flow, asked)
        connection = _connection_of(mapping, flow, asked)
        event = replace(event, type=f"{REPORTED}{flow}", form=mapping.id)
        order = self._in_order.setdefault((connection, event.instance_id), asyncio.Lock())
        async with order:
            waiting = await self._take(connection, event, asked, key, named=named)
        if isinstance(waiting, StoredAnswer):
            return waiting, True
        done, _ = await asyncio.wait([waiting], timeout=patience)
        if not done:
            return answer_of_storing(mapping, flow, asked), False
        carried = waiting.result()
        if carried.answer is not None:
            return carried.answer, False
        error = carried.failure or RetryLater("尚无答复", "There is no answer yet")
        return answer_of_failure(mapping, flow, asked, error, repeats=carried.repeats), False

    async def _take(
        self, connection: str, event: Event, asked: AnyMapping[str, Any], key: RequestKey, *, named: bool
    ) -> StoredAnswer | asyncio.Future[Carried]:
        """Judge a report beside the earlier ones, and store it: the answer it was given, or what will come of it."""
        turn = await self._intake.turn_of(connection, event, key.digest, key=key.key if named else None)
        if turn.number > 1 and not named:
            key = replace(key, key=f"{key.key} #{turn.number}")
        known = await self._idempotency.known(key)
        if known is not None:
            return known
        if turn.outdated:
            raise Conflict(
                "该审批之后又报告过一次，以后一次为准",
                "The approval was reported once more after this; the later report stands",
                where=event.instance_id,
            )
        event = _stored(event, asked, key, turn)
        earlier = self._waiting.get(event.key)
        waiting = self._waiting.setdefault(event.key, asyncio.get_running_loop().create_future())
        try:
            await self._intake.store_report(connection, event)
        except IntegrationError:
            if earlier is None:
                self._waiting.pop(event.key, None)
            raise
        return waiting

    async def settle(self, item: InboxEvent) -> None:
        """Make sure that a stored report is the one that stands, before it is carried out.

        One that changes the verdict is compared with what the other system says itself, where that can be asked. The
        report may be part of what the other system is about to keep, so it is given time.

        :raises RetryLater: it is not confirmed yet
        :raises CallbackRejected: it is not believed
        :raises IntegrationError: the other system cannot be asked at the moment
        """
        if item.event.raw.get("changes"):
            async with self._connectors.lease() as lease:
                connector = await lease.get(item.connection)
                asked = connector.tells_outcomes
                said = await _outcome(connector, item.event.instance_id) if asked else None
            confirm_change(
                item.event,
                said,
                doubtful=item.event.raw.get("doubtful", False) and item.note != BY_HAND,
                may_wait=asked and utc_now() - item.received_at < _KEPT_WITHIN,
            )
        await self._intake.report_stands(item)

    async def carry_out(self, item: InboxEvent, mapping: Mapping, flow: str) -> Carried:
        """Carry a stored report out.

        One that was carried out and answered before, in a life that ended too soon to take that down, is done.
        """
        asked, key = item.event.raw["request"], item.event.raw["key"]
        summary: RunSummary | None = None

        async def carry_out() -> Answered:
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


def _stored(event: Event, asked: AnyMapping[str, Any], key: RequestKey, turn: Turn) -> Event:
    """The event under which a report is stored: it goes back to its flow, with the whole request."""
    same = jsontext.dumps([key.mapping, key.flow, key.key, key.digest])
    known = {"key": key.key, "digest": key.digest}
    return replace(
        event,
        key=f"http {event.instance_id} {hashlib.blake2b(same, digest_size=16).hexdigest()}",
        raw={
            "request": dict(asked),
            "key": known,
            "turn": turn.number,
            "changes": turn.changes,
            "doubtful": turn.doubtful,
        },
    )


async def _outcome(connector: Connector[Any], instance_id: str) -> Outcome | None:
    """How an approval ended by the other system's own account; None while it is open, gone, or does not say."""
    try:
        event = await connector.poll_event(instance_id, "")
    except NotFound:
        return None
    return event.outcome if event is not None else None


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
