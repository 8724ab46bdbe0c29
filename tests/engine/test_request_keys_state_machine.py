"""Whatever requests with equal keys, corrections, refusals, lost answers and crashes do: a key makes one document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runtime.engine.engine import Engine, RunRequest
from runtime.errors import IntegrationError, OutcomeUnknown, RemoteRefused, RequestRejected, TimedOut
from runtime.service.answering import answer_of_run
from runtime.service.idempotency import Idempotency, Outcome, RequestKey
from runtime.store.ledger import EffectState
from runtime.store.listings import list_deliveries
from tests.engine.histories import go_through
from tests.engine.mortal import Death, MortalDatabase, end_others

KEYS = ("k1", "k2")
CONTENTS = ("a", "b", "c")
CALLS = ("erp.update", "oa.create_approval")
POINTS = [(name, moment) for name in (*CALLS, "commit") for moment in ("before", "after")]
#: A refused content leaves nothing behind; a part of it may be done before and after the document is created.
STEPS: list[dict[str, Any]] = [
    {
        "id": "approval",
        "call": "oa.create_approval",
        "with": {"values": {"key": "{{ input.key }}", "content": "{{ input.content }}"}, "originator": "u1"},
    },
    {"call": "erp.update", "with": {"entity": "Drafts", "key": 1, "values": {"Name": "{{ input.content }}"}}},
    {"respond": {"body": "{{ approval.instance_id }}"}},
]
keys, contents = st.sampled_from(KEYS), st.sampled_from(CONTENTS)


def machine(new_bench: Callable[[], Any]) -> type[RuleBasedStateMachine]:
    """Callers, the product and fate."""

    class Requests(RuleBasedStateMachine):
        @initialize(update_first=st.booleans())
        def start(self, update_first: bool) -> None:
            self.loop = asyncio.new_event_loop()
            self.bench = new_bench()
            self.world = self.bench.world
            self.world.add(1)
            create, update, respond = STEPS
            self.mapping = self.bench.mapping(inbound=[update, create, respond] if update_first else STEPS)

        def post(self, key: str, contents: Sequence[str], db: Any = None) -> list[Any]:
            """One process's life, in which a key comes with these contents at once; their answers or errors."""

            async def life() -> list[Any]:
                idempotency = Idempotency(db or self.bench.db, keep=timedelta(days=1))
                engine = Engine(db or self.bench.db, self.bench.pool, settle=timedelta(0))
                asked = [self.once(idempotency, engine, key, content) for content in contents]
                try:
                    return await asyncio.gather(*asked, return_exceptions=True)
                except BaseExceptionGroup:
                    return []
                finally:
                    await end_others()

            try:
                answers = self.loop.run_until_complete(life())
            except Death:
                return []
            finally:
                self.world.before = self.world.after = lambda _name, _params: None
                self.bench.db.write(lambda _connection: None)
            for content, answer in zip(contents, answers, strict=True):
                if isinstance(answer, str):
                    # Whoever is told that it is done is told so of what he sent.
                    assert self.world.approvals[answer]["values"] == {"key": key, "content": content}
                else:
                    assert isinstance(answer, IntegrationError | Death | BaseExceptionGroup), answer
            return answers

        async def once(self, idempotency: Idempotency, engine: Engine, key: str, content: str) -> str:
            request = RequestKey(mapping=self.mapping.id, flow="inbound", key=key, digest=content)
            body = {"key": key, "content": content}

            async def carry_out() -> Outcome:
                asked = RunRequest(cause="http", input=body, request={"body": body}, document_key=request.place)
                return answer_of_run(self.mapping, "inbound", await engine.run(self.mapping, "inbound", asked))

            answer, _ = await idempotency.once(request, carry_out, correctable=True)
            return str(answer.body)

        def arm(self, name: str, moment: str, error: BaseException, db: Any = None) -> None:
            """Have the next such call raise; with ``db``, nothing is committed from that moment on."""

            def hook(called: str, _params: Any) -> None:
                if called == name:
                    setattr(self.world, moment, lambda _name, _params: None)
                    if db is not None:
                        db.dead = True
                    raise error

            setattr(self.world, moment, hook)

        @rule(key=keys, sent=st.lists(contents, min_size=1, max_size=3))
        def calls(self, key: str, sent: list[str]) -> None:
            self.post(key, sent)

        @rule(key=keys, sent=st.lists(contents, min_size=1, max_size=2), name=st.sampled_from(CALLS))
        def calls_of_which_one_is_refused(self, key: str, sent: list[str], name: str) -> None:
            self.arm(name, "before", RemoteRefused("拒绝", "Refused"))
            self.post(key, sent)

        @rule(
            key=keys,
            sent=st.lists(contents, min_size=1, max_size=2),
            name=st.sampled_from([*CALLS, "oa.reconcile"]),
            moment=st.sampled_from(["before", "after"]),
            error=st.sampled_from([OutcomeUnknown, TimedOut]),
        )
        def calls_with_a_lost_answer(
            self, key: str, sent: list[str], name: str, moment: str, error: type[IntegrationError]
        ) -> None:
            self.arm(name, moment, error("没有答复", "No answer"))
            self.post(key, sent)

        @rule(
            key=keys,
            sent=st.lists(contents, min_size=1, max_size=2),
            point=st.sampled_from(POINTS),
            nth=st.integers(1, 6),
        )
        def calls_in_a_process_that_dies(self, key: str, sent: list[str], point: tuple[str, str], nth: int) -> None:
            name, moment = point
            db = MortalDatabase(self.bench.db, nth if name == "commit" else None, moment)
            if name != "commit":
                self.arm(name, moment, Death(), db)
            self.post(key, sent, db)

        @rule(key=keys, content=contents, corrected=contents)
        def a_refused_content_is_corrected(self, key: str, content: str, corrected: str) -> None:
            """What was refused without a trace makes room; where something may have happened nothing else does."""
            new = not self.made(key) and not self.tried(key)
            self.arm("oa.create_approval", "before", RemoteRefused("拒绝", "Refused"))
            self.arm_too("erp.update")
            [refused] = self.post(key, [content])
            if new:
                assert isinstance(refused, RemoteRefused)
                [answer] = self.post(key, [corrected])
                assert isinstance(answer, str), answer

        def arm_too(self, name: str) -> None:
            refuse = self.world.before

            def hook(called: str, params: Any) -> None:
                if called == name:
                    raise RemoteRefused("拒绝", "Refused")
                refuse(called, params)

            self.world.before = hook

        def made(self, key: str) -> list[str]:
            found = (one["values"] for one in self.world.approvals.values())
            return [values["content"] for values in found if values["key"] == key]

        def tried(self, key: str) -> bool:
            """Whether the ledger holds anything but refusals of this key."""
            from_ledger = self.bench.db.read(lambda state: list_deliveries(state, limit=1000))
            return any(
                one.document_key.startswith(f"{key} ")
                and any(effect.state is not EffectState.ABSENT for effect in one.effects.values())
                for one in from_ledger
            )

        @invariant()
        def a_key_makes_one_document(self) -> None:
            for key in KEYS:
                assert len(self.made(key)) <= 1, self.world.approvals

        def teardown(self) -> None:
            if not hasattr(self, "bench"):
                return
            try:
                # Whoever sends again what is under way, or what was first, is served in the end.
                for key in KEYS:
                    answers = [self.post(key, [content])[0] for _ in range(2) for content in CONTENTS]
                    assert any(isinstance(answer, str) for answer in answers), answers
                    rejected = [answer for answer in answers[len(CONTENTS) :] if not isinstance(answer, str)]
                    assert len(rejected) == len(CONTENTS) - 1
                    assert all(isinstance(answer, RequestRejected) for answer in rejected), rejected
                    assert len(self.made(key)) == 1
            finally:
                self.loop.close()
                self.bench.close()

    return Requests


def test_a_key_makes_one_document(new_bench: Callable[[], Any], histories: int) -> None:
    go_through(machine(new_bench), histories=histories, steps=15)
