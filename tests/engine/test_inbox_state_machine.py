"""Ledger and inbox together: verdicts that overtake, repeat and get lost, and a process that dies anywhere.

Whatever happens in whatever order: one approval for each submission, one effect for each verdict, nothing lost. The
effect of a verdict that can be counted is a second thing that its flow creates in the other system (a "receipt").
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runtime.connectors.events import Event, Outcome
from runtime.engine.engine import Engine, RunRequest
from runtime.errors import IntegrationError, OutcomeUnknown, RetryLater, TimedOut
from runtime.store.columns import utc_now
from runtime.store.inbox import (
    InboxEvent,
    claim_events,
    event_done,
    event_failed,
    insert_event,
    insert_polled,
    list_events,
    release_events,
)
from tests.engine.histories import go_through
from tests.engine.mortal import Death, MortalDatabase, end_others

KEYS = range(1, 4)
POINTS = [(name, moment) for name in ("oa.create_approval", "erp.update", "commit") for moment in ("before", "after")]
MOMENTS = st.sampled_from(["before", "after"])

RECEIPT: dict[str, Any] = {
    "id": "receipt",
    "call": "oa.create_approval",
    "with": {"values": {"名称": "receipt of {{ event.instance_id }}"}, "originator": "{{ draft.User }}"},
}


def machine(new_bench: Callable[[], Any]) -> type[RuleBasedStateMachine]:
    class Verdicts(RuleBasedStateMachine):
        @initialize()
        def start(self) -> None:
            self.loop = asyncio.new_event_loop()
            self.bench = new_bench()
            self.world = self.bench.world
            steps = [*self.bench.verdict_steps, RECEIPT]
            self.mapping = self.bench.mapping(submit=self.bench.submit_steps, verdict=steps)
            self.submitted = dict.fromkeys(KEYS, 1)
            #: Approval → how it ended in the OA.
            self.decided: dict[str, Outcome] = {}
            #: Approvals whose event the OA has not got acknowledged yet.
            self.unacknowledged: list[str] = []
            for key in KEYS:
                self.world.add(key, Name=f"d{key}-1")

        def live(self, work: Callable[[Any, Engine], Any], db: Any = None) -> Any:
            """One process: it puts right what the last one left, then does its work; it may die in the middle."""
            database = db or self.bench.db

            async def life() -> Any:
                try:
                    return await work(database, Engine(database, self.bench.pool, settle=timedelta(0)))
                except (Death, BaseExceptionGroup):
                    return None
                finally:
                    await end_others()

            self.bench.db.write(release_events)
            try:
                return self.loop.run_until_complete(life())
            except Death:
                return None
            finally:
                self.world.before = self.world.after = lambda _name, _params: None
                self.bench.db.write(lambda _connection: None)

        async def tick(self, _db: Any, engine: Engine) -> Any:
            return await engine.run(self.mapping, "submit", RunRequest(cause="schedule"))

        async def work_off(self, db: Any, engine: Engine) -> None:
            """What the inbox's workers do: take what is due, carry it out, say what became of it."""
            for item in await db.awrite(partial(claim_events, limit=2)):
                await self.carry_out(db, engine, item)

        async def carry_out(self, db: Any, engine: Engine, item: InboxEvent) -> None:
            event = item.event
            request = RunRequest(
                cause="event", event=event, connection=item.connection,
                document_key=f"{event.type} {event.instance_id} {event.outcome}",
            )  # fmt: skip
            try:
                summary = await engine.run(self.mapping, "verdict", request)
                error = summary.error or (None if summary.state == "succeeded" else RetryLater("重试", "Again"))
            except IntegrationError as raised:
                error = raised
            if error is None:
                await db.awrite(lambda state: event_done(state, item.id))
            else:
                reason = error
                await db.awrite(lambda state: event_failed(state, item.id, error=reason, next_attempt_at=utc_now()))

        def mortal(self, point: tuple[str, str], nth: int) -> MortalDatabase:
            name, moment = point
            db = MortalDatabase(self.bench.db, nth if name == "commit" else None, moment)
            if name != "commit":
                self.arm(name, moment, nth, Death(), db)
            return db

        def arm(self, name: str, moment: str, nth: int, error: BaseException, db: Any = None) -> None:
            left = [nth]

            def hook(called: str, _params: Any) -> None:
                if called == name:
                    left[0] -= 1
                    if left[0] == 0:
                        if db is not None:
                            db.dead = True
                        raise error

            setattr(self.world, moment, hook)

        def event(self, approval: str, key: str) -> Event:
            return Event(key=key, type="approval.finished", instance_id=approval, outcome=self.decided[approval])

        @rule()
        def tick_now(self) -> None:
            self.live(self.tick)

        @rule(point=st.sampled_from(POINTS), nth=st.integers(1, 4))
        def tick_that_dies(self, point: tuple[str, str], nth: int) -> None:
            self.live(self.tick, self.mortal(point, nth))

        @rule(moment=MOMENTS, nth=st.integers(1, 3), error=st.sampled_from([OutcomeUnknown, TimedOut]))
        def tick_with_a_lost_answer(self, moment: str, nth: int, error: type[IntegrationError]) -> None:
            self.arm("oa.create_approval", moment, nth, error("没有答复", "No answer"))
            self.live(self.tick)

        @rule(key=st.sampled_from(KEYS), outcome=st.sampled_from([Outcome.AGREED, Outcome.REFUSED]))
        def decide(self, key: int, outcome: Outcome) -> None:
            """Somebody decides in the OA, perhaps before anything was written back."""
            for approval in self.approvals(key):
                if approval not in self.decided:
                    self.decided[approval] = outcome
                    self.unacknowledged.append(approval)

        @rule(data=st.data(), acknowledged=st.booleans(), copy=st.integers(0, 1))
        def callback(self, data: st.DataObject, acknowledged: bool, copy: int) -> None:
            """An event arrives: in any order, twice, under another key; the acknowledgement may get lost."""
            if self.decided:
                approval = data.draw(st.sampled_from(sorted(self.decided)))
                event = self.event(approval, f"{approval}-{copy}")
                self.bench.db.write(lambda state: insert_event(state, "oa-1", event))
                if acknowledged and approval in self.unacknowledged:
                    self.unacknowledged.remove(approval)

        @rule()
        def lost_callbacks(self) -> None:
            """The OA gives up; from now on only the sweep can bring these verdicts."""
            self.unacknowledged.clear()

        @rule()
        def sweep(self) -> None:
            """The runtime asks about the approvals that it knows."""
            for approval in self.decided:
                event = self.event(approval, f"sweep {approval}")
                self.bench.db.write(lambda state, event=event: insert_polled(state, "oa-1", event))

        @rule()
        def work(self) -> None:
            self.live(self.work_off)

        @rule(point=st.sampled_from(POINTS), nth=st.integers(0, 5))
        def work_that_dies(self, point: tuple[str, str], nth: int) -> None:
            self.live(self.work_off, self.mortal(point, nth or 1))

        @rule(name=st.sampled_from(["oa.create_approval", "erp.update"]), moment=MOMENTS)
        def work_with_a_lost_answer(self, name: str, moment: str) -> None:
            self.arm(name, moment, 1, OutcomeUnknown("没有答复", "No answer"))
            self.live(self.work_off)

        @rule(key=st.sampled_from(KEYS))
        def resubmit(self, key: int) -> None:
            """A document that was refused is changed and submitted again in B1."""
            row = self.world.drafts[key]
            if row["Mark"] == "Y" and row.get("Status") == "refused":
                self.submitted[key] += 1
                row.update(Mark="N", Status="", Name=f"d{key}-{self.submitted[key]}")

        def approvals(self, key: int) -> list[str]:
            names = {f"d{key}-{number}" for number in range(1, self.submitted[key] + 1)}
            return [name for name, one in self.world.approvals.items() if one["values"]["名称"] in names]

        @invariant()
        def nothing_is_created_twice(self) -> None:
            created = Counter(one["values"]["名称"] for one in self.world.approvals.values())
            assert not created or max(created.values()) == 1, created

        @invariant()
        def no_verdict_is_made_up(self) -> None:
            for key in KEYS:
                status = self.world.drafts[key].get("Status")
                assert not status or status in {self.decided.get(approval) for approval in self.approvals(key)}

        def teardown(self) -> None:
            if not hasattr(self, "bench"):
                return
            try:
                self.sweep()
                for _ in range(4 * len(self.decided) + 6):
                    self.live(self.tick)
                    self.live(self.work_off)
                self.check_the_end()
            finally:
                self.loop.close()
                self.bench.close()

        def check_the_end(self) -> None:
            events = self.bench.db.read(lambda state: list_events(state, limit=1000))
            assert {event.state for event in events} <= {"done"}, events
            for key, row in self.world.drafts.items():
                assert row["Mark"] == "Y"
                assert len(self.approvals(key)) == self.submitted[key]
                newest = self.approvals(key)[-1]
                if newest in self.decided and self.submitted[key] == 1:
                    assert row["Status"] == self.decided[newest]
            receipts = {one["values"]["名称"] for one in self.world.approvals.values()} - {
                f"d{key}-{number}" for key in KEYS for number in range(1, self.submitted[key] + 1)
            }
            assert receipts == {f"receipt of {approval}" for approval in self.decided}

    return Verdicts


def test_one_effect_for_every_verdict(new_bench: Callable[[], Any], histories: int) -> None:
    go_through(machine(new_bench), histories=histories, steps=25)
