"""The runtime says which mappings send the same documents: once, until it changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from runtime.errors import BadConnection
from runtime.mapping.document import parse_mapping
from runtime.mapping.models import Mapping
from runtime.service import doubles


def sending(name: str, *, mark: str = "A", enabled: bool = True) -> dict[str, Any]:
    read = {"id": "drafts", "call": "erp.query", "with": {"entity": "Drafts", "filter": f"U_Dept eq '{mark}'"}}
    create = {"call": "oa.create_approval", "with": {"form": "F", "values": {}, "originator": "u"}}
    each = {"each": "{{ drafts }}", "as": "draft", "key": "{{ draft.DocEntry }}", "steps": [create]}
    submit = {"trigger": {"schedule": {"every": "1s"}}, "steps": [read, each]}
    document = {"format": 1, "id": name, "enabled": enabled, "connections": {"erp": "b1", "oa": "oa"}}
    return {**document, "flows": {"submit": submit, "again": submit}}


class Live:
    """Mappings that a test puts in force."""

    def __init__(self) -> None:
        self.mappings: dict[str, Mapping] = {}
        self.digests: dict[str, str] = {}
        self.changed: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        self.changed.append(listener)

    def __iter__(self) -> Iterator[Mapping]:
        return iter(list(self.mappings.values()))

    def put(self, *documents: dict[str, Any]) -> None:
        for document in documents:
            self.mappings[document["id"]] = parse_mapping(document)
            self.digests = {**self.digests, document["id"]: str(document)}
        for listener in self.changed:
            listener()


class Pool:
    """No connections, but a count of how often mappings were compared by them."""

    def __init__(self) -> None:
        self.compared = 0
        self.again = asyncio.Event()

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Pool]:
        yield self
        self.compared += 1
        self.again.set()

    async def times(self, number: int) -> None:
        await asyncio.wait_for(self.again.wait(), 30)
        self.again.clear()
        assert self.compared == number

    async def get(self, name: str) -> Any:
        raise BadConnection("没有", "None", where=name)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []

    class Log:
        def warning(self, event: str, **fields: Any) -> None:
            said.append({"event": event, **fields})

    monkeypatch.setattr(doubles, "log", Log())
    return said


async def test_each_pair_is_one_line_until_it_comes_again(lines: list[dict[str, Any]]) -> None:
    live: Any = Live()
    pool: Any = Pool()
    live.put(sending("one"), sending("two"), sending("other", mark="B"))
    task = asyncio.create_task(doubles.Doubles(live, pool).run())
    await pool.times(1)
    pairs = [{line["mapping"], line["other"]} for line in lines]
    # A mapping whose own flows send the same documents is told of too.
    assert sorted(map(sorted, pairs)) == [["one"], ["one", "two"], ["other"], ["two"]]
    [line] = [line for line in lines if {line["mapping"], line["other"]} == {"one", "two"}]
    assert "whichever comes first" in line["en"]
    assert "先处理" in line["zh"]
    lines.clear()
    live.put()  # a file that turned bad: what is in force is the same
    await asyncio.sleep(0.1)
    assert pool.compared == 1
    live.put(sending("third", enabled=False))
    await pool.times(2)
    live.put(sending("two", mark="D"))
    await pool.times(3)
    assert lines == []
    live.put(sending("two"))
    await pool.times(4)
    assert [{line["mapping"], line["other"]} for line in lines] == [{"one", "two"}]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.acceptance
async def test_the_running_service_says_it_at_start_and_when_a_mapping_comes(desk: Any, eventually: Any) -> None:
    def told(process: Any) -> int:
        return sum("two mappings send the same documents" in line for line in process.output.splitlines())

    one, two = sending("one"), sending("two")
    for document in (one, two):
        del document["flows"]["again"]
        desk.save(document)
    process = desk.serve()
    process.address()
    eventually(lambda: told(process) == 1, what="the pair is told of")
    desk.save({**one, "id": "three"})
    eventually(lambda: told(process) == 3, what="two more pairs are told of")
    await asyncio.sleep(2)  # ticks go by
    assert told(process) == 3
