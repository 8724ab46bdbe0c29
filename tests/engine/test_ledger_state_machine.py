"""Whatever ticks, crashes, lost answers, edits and resubmissions do, in any order: never two approvals, none lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runtime.connectors.events import Event, Outcome
from runtime.engine.engine import Engine, RunRequest
from runtime.errors import IntegrationError, OutcomeUnknown, RemoteRefused, TimedOut, Unreachable
from runtime.store.ledger import Delivery
from runtime.store.listings import list_deliveries
from runtime.store.resolution import resolve_created, resolve_resend, unknown_steps
from tests.engine.histories import go_through
from tests.engine.mortal import Death, MortalDatabase, end_others

KEYS = range(1, 4)
#: What stands in the mark of a document that was sent, or judged.
MARKED = ("Y", "A")
#: Where a process may die or an answer may get lost: (call, before or after it took effect).
POINTS = [(name, moment) for name in ("oa.create_approval", "erp.update", "commit") for moment in ("before", "after")]


def machine(new_bench: Callable[[], Any], *, query_changes: bool) -> type[RuleBasedStateMachine]:
    """The product in the hands of fate.

    :param query_changes: whether a consultant edits the query meanwhile. A document that another query shows may then
        stay where it is, with a warning, because nobody can tell whether it was resubmitted; it must not be sent twice.
    """

    class Ticks(RuleBasedStateMachine):
        @initialize(excludes=st.booleans(), overwrites=st.booleans())
        def start(self, excludes: bool, overwrites: bool) -> None:
            """The query leaves marked documents out, or it does not; a verdict overwrites the mark, or it does not."""
            self.overwrites = overwrites
            self.loop = asyncio.new_event_loop()
            self.bench = new_bench()
            self.world = self.bench.world
            self.ask(excludes)
            #: How often each document was submitted in B1.
            self.submitted = dict.fromkeys(KEYS, 1)
            for key in KEYS:
                self.world.add(key, Name=f"d{key}-1")
            self.verdicts = 0

        def ask(self, excludes: bool) -> None:
            """Another query is another mapping: what the source shows follows from what it is asked."""
            self.world.excludes_marked = excludes
            rows, each = self.bench.submit_steps
            asked = {**rows["with"], "filter": "Mark eq 'N'" if excludes else "DocEntry gt 0"}
            steps = [{**rows, "with": asked}, each]
            find, stop, update = self.bench.verdict_steps
            values = {**update["with"]["values"], **({"Mark": "A"} if self.overwrites else {})}
            verdict = [find, stop, {**update, "with": {**update["with"], "values": values}}]
            self.mapping = self.bench.mapping(submit=steps, verdict=verdict)

        @precondition(lambda self: query_changes)
        @rule()
        def change_the_query(self) -> None:
            self.ask(not self.world.excludes_marked)

        def run(self, flow: str, request: RunRequest, db: Any = None) -> Any:
            """One process's life: it runs the flow, and may die."""

            async def life() -> Any:
                engine = Engine(db or self.bench.db, self.bench.pool, settle=timedelta(0))
                try:
                    return await engine.run(self.mapping, flow, request)
                except (Death, BaseExceptionGroup):
                    return None
                finally:
                    await end_others()

            try:
                return self.loop.run_until_complete(life())
            except Death:
                return None
            finally:
                self.quiet()
                # What the dead process had queued either was committed or was not; both are allowed.
                self.bench.db.write(lambda _connection: None)

        def quiet(self) -> None:
            self.world.before = self.world.after = lambda _name, _params: None

        def arm(self, name: str, moment: str, nth: int, error: BaseException, db: Any = None) -> None:
            """Have the n-th such call raise; with ``db``, nothing is committed from that moment on."""
            left = [nth]

            def hook(called: str, _params: Any) -> None:
                if called == name:
                    left[0] -= 1
                    if left[0] == 0:
                        if db is not None:
                            db.dead = True
                        raise error

            setattr(self.world, moment, hook)

        @rule()
        def new_document(self) -> None:
            key = len(self.world.drafts) + 1
            self.submitted[key] = 1
            self.world.add(key, Name=f"d{key}-1")

        @rule(lost=st.booleans())
        def two_alike(self, lost: bool) -> None:
            """Two documents with the same content; the answer to one of them may get lost, whether it was created."""
            content = f"alike-{len(self.world.drafts)}"
            for _ in range(2):
                key = len(self.world.drafts) + 1
                self.submitted[key] = 1
                self.world.add(key, Name=content)
            if lost:
                self.arm("oa.create_approval", "after", 1, OutcomeUnknown("没有答复", "No answer"))
                self.run("submit", RunRequest(cause="schedule"))

        @rule()
        def person(self) -> None:
            """Somebody looks into the approval system and decides about everything that is unknown."""
            for one in self.deliveries():
                for step in unknown_steps(one):
                    held = {effect.instance_id for each in self.deliveries() for effect in each.effects.values()}
                    content = self.world.drafts[one.document]["Name"]
                    free = [
                        name
                        for name, approval in self.world.approvals.items()
                        if approval["values"]["名称"] == content and name not in held
                    ]
                    if free:
                        decide = partial(resolve_created, delivery_id=one.id, created=free[0], by="li", step=step)
                    else:
                        decide = partial(resolve_resend, delivery_id=one.id, by="li", step=step)
                    self.bench.db.write(decide)

        @rule(name=st.sampled_from(["oa.create_approval", "erp.update"]))
        def tick_while_a_system_is_down(self, name: str) -> None:
            def hook(called: str, _params: Any) -> None:
                if called in (name, f"{name[: name.index('.')]}-1.test"):
                    raise Unreachable("连不上", "Cannot connect")

            self.world.before = hook
            self.run("submit", RunRequest(cause="schedule"))

        @rule()
        def tick(self) -> None:
            self.run("submit", RunRequest(cause="schedule"))

        @rule(point=st.sampled_from(POINTS), nth=st.integers(1, 4))
        def tick_that_dies(self, point: tuple[str, str], nth: int) -> None:
            name, moment = point
            db = MortalDatabase(self.bench.db, nth if name == "commit" else None, moment)
            if name != "commit":
                self.arm(name, moment, nth, Death(), db)
            self.run("submit", RunRequest(cause="schedule"), db)

        @rule(
            name=st.sampled_from(["oa.create_approval", "erp.update", "oa.reconcile"]),
            moment=st.sampled_from(["before", "after"]),
            nth=st.integers(1, 3),
            error=st.sampled_from([OutcomeUnknown, TimedOut]),
        )
        def tick_with_a_lost_answer(self, name: str, moment: str, nth: int, error: type[IntegrationError]) -> None:
            self.arm(name, moment, nth, error("没有答复", "No answer"))
            self.run("submit", RunRequest(cause="schedule"))

        @rule(name=st.sampled_from(["oa.create_approval", "erp.update"]), nth=st.integers(1, 3))
        def tick_with_a_refusal(self, name: str, nth: int) -> None:
            self.arm(name, "before", nth, RemoteRefused("拒绝", "Refused"))
            self.run("submit", RunRequest(cause="schedule"))

        @rule(key=st.sampled_from(KEYS))
        def resubmit(self, key: int) -> None:
            """A document that was written back is edited and submitted again in B1."""
            row = self.world.drafts[key]
            if row["Mark"] in MARKED and self.written_back(key):
                self.submitted[key] += 1
                row.update(Mark="N", Name=f"d{key}-{self.submitted[key]}")

        @rule(key=st.sampled_from(KEYS))
        def verdict(self, key: int) -> None:
            """The OA reports the newest approval of a document, whether its write-back happened or not."""
            mine = self.approvals(key)
            if not mine or (self.overwrites and len(mine) < self.submitted[key]):
                # A flow that overwrites the mark of what was just submitted again would hide it from everybody.
                return
            self.verdicts += 1
            event = Event(
                key=f"v{self.verdicts}", type="approval.finished", instance_id=mine[-1], outcome=Outcome.AGREED
            )
            for _ in range(4):
                summary = self.run("verdict", RunRequest(cause="event", event=event))
                if summary is not None and summary.state == "succeeded":
                    break
                self.run("submit", RunRequest(cause="schedule"))
            else:
                raise AssertionError(summary)
            assert self.world.drafts[key].get("Status") == "agreed"
            del self.world.drafts[key]["Status"]

        def approvals(self, key: int) -> list[str]:
            names = [f"d{key}-{number}" for number in range(1, self.submitted[key] + 1)]
            content = self.world.drafts[key]["Name"]
            if content.startswith("alike"):
                names = [content]
            return [name for name, one in self.world.approvals.items() if one["values"]["名称"] in names]

        def deliveries(self) -> list[Delivery]:
            found: list[Delivery] = self.bench.db.read(
                lambda state: list_deliveries(state, whole_runs=False, limit=1000)
            )
            return found

        def written_back(self, key: int) -> bool:
            newest = max(
                (one for one in self.deliveries() if one.document == key), key=lambda one: one.generation, default=None
            )
            return newest is not None and newest.state == "complete"

        @invariant()
        def never_two_approvals_for_one_submission(self) -> None:
            sent = Counter(one["values"]["名称"] for one in self.world.approvals.values())
            for name, count in sent.items():
                assert count <= (2 if name.startswith("alike") else 1), sent

        @invariant()
        def a_marked_document_carries_an_approval_of_its_own(self) -> None:
            for key, row in self.world.drafts.items():
                if row["Mark"] in MARKED:
                    assert row["Instance"] in self.approvals(key)
            marked = [row["Instance"] for row in self.world.drafts.values() if row["Instance"]]
            assert len(marked) == len(set(marked))

        def teardown(self) -> None:
            if not hasattr(self, "bench"):
                return
            try:
                for _ in range(4):
                    self.run("submit", RunRequest(cause="schedule"))
                    self.person()
                self.run("submit", RunRequest(cause="schedule"))
                alike = Counter(row["Name"] for row in self.world.drafts.values())
                for key, row in self.world.drafts.items():
                    if query_changes:
                        continue
                    assert row["Mark"] in MARKED
                    assert len(self.approvals(key)) == max(self.submitted[key], alike[row["Name"]])
            finally:
                self.loop.close()
                self.bench.close()

    return Ticks


@pytest.mark.parametrize("query_changes", [False, True], ids=["steady", "query-changes"])
def test_never_twice_and_never_lost(new_bench: Callable[[], Any], histories: int, query_changes: bool) -> None:
    go_through(machine(new_bench, query_changes=query_changes), histories=histories, steps=20)
