"""A request that comes again while the first one is still being carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.errors import RequestRejected, Unreachable
from runtime.service.idempotency import Idempotency, Outcome, RequestKey
from runtime.store.answers import StoredAnswer
from runtime.store.database import Database

KEY = RequestKey(mapping="m", flow="f", key="k", digest="d")


class Work:
    """What a request sets going; it takes as long as the test wants."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> Outcome:
        self.begun += 1
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return Outcome(answer=StoredAnswer(status=201, headers={}, body={"number": self.begun}), final=True)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


async def test_who_waits_in_vain_is_told_to_come_again_and_gets_the_answer_then(database: Database) -> None:
    once = Idempotency(database, keep=timedelta(days=1), patience=0.05).once
    work = Work()
    first = asyncio.create_task(once(KEY, work))
    await asyncio.sleep(0)
    for _ in range(2):
        with pytest.raises(RequestRejected) as refused:
            await once(KEY, work)
        assert refused.value.status == 409
        assert "Idempotency-Key" in refused.value.where
    work.go_on.set()
    assert await first == (StoredAnswer(status=201, headers={}, body={"number": 1}), False)
    assert await once(KEY, work) == (StoredAnswer(status=201, headers={}, body={"number": 1}), True)
    assert work.begun == 1


async def test_who_waits_for_one_that_fails_is_told_to_come_again_and_is_carried_out_then(database: Database) -> None:
    once = Idempotency(database, keep=timedelta(days=1)).once
    work = Work()
    work.error = Unreachable("连不上", "Cannot connect")
    first, second = asyncio.create_task(once(KEY, work)), asyncio.create_task(once(KEY, work))
    await asyncio.sleep(0)
    work.go_on.set()
    with pytest.raises(Unreachable):
        await first
    with pytest.raises(RequestRejected) as refused:
        await second
    assert refused.value.status == 409
    work.error = None
    assert (await once(KEY, work))[1] is False
    assert work.begun == 2
