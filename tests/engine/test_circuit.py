"""A whole system that is down ends the run with one line; documents at fault never end it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.engine.engine import RunRequest
from runtime.errors import LoginRefused, RemoteFault, RemoteRefused, RetryLater, Throttled, TimedOut, Unreachable
from runtime.store.runs import list_run_documents

MANUAL = RunRequest(cause="manual")


def down(bench: Any, error: Exception, *names: str) -> None:
    def hook(called: str, _params: Any) -> None:
        if called in names:
            raise error

    bench.world.before = hook


@pytest.mark.parametrize("kind", [Unreachable, TimedOut, RemoteFault, Throttled])
async def test_a_system_that_is_down_ends_the_run_with_one_line(bench, kind) -> None:
    bench.world.add(*range(1, 201))
    down(bench, kind("没有答复", "No answer", code="503"), "oa.create_approval", "oa.reconcile", "oa-1.test")
    summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert summary.state == "failed"
    assert isinstance(summary.error, RetryLater)
    assert "oa-1" in summary.error.zh
    assert "down" in summary.error.en
    assert summary.error.code == "503"
    # Those in work when the fifth fails are finished: four calls, and two that wait.
    assert 5 <= summary.failed <= 4 + 6
    assert bench.world.count("oa-1.test") == 1


async def test_the_next_tick_tries_one_document_and_goes_on_when_the_system_is_back(bench) -> None:
    bench.world.add(*range(1, 41))
    mapping = bench.mapping()
    down(bench, Unreachable("连不上", "Cannot connect"), "oa.create_approval", "oa-1.test")
    await bench.engine.run(mapping, "submit", MANUAL)
    second = await bench.engine.run(mapping, "submit", MANUAL)
    assert (second.total, second.failed) == (1, 1)
    bench.world.before = lambda _name, _params: None
    third = await bench.engine.run(mapping, "submit", MANUAL)
    assert (third.state, third.done) == ("succeeded", 40)
    assert len(bench.world.approvals) == 40
    assert bench.world.most_in_flight == 4


async def test_what_is_in_progress_is_finished(bench) -> None:
    """The approval system answers, the ERP does not: every approval that was begun is recorded, and marked later."""
    bench.world.add(*range(1, 41))
    mapping = bench.mapping()
    down(bench, Unreachable("连不上", "Cannot connect"), "erp.update", "erp-1.test")
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert (summary.state, summary.failed) == ("failed", summary.total)
    documents = bench.db.read(lambda state: list_run_documents(state, summary.run_id))
    assert {one.state for one in documents if one.document} == {"failed"}
    assert len(bench.world.approvals) == summary.total < 10
    bench.world.before = lambda _name, _params: None
    await bench.engine.run(mapping, "submit", MANUAL)
    assert len(bench.world.approvals) == 40
    assert {row["Mark"] for row in bench.world.drafts.values()} == {"Y"}


async def test_documents_that_upset_a_healthy_system_do_not_keep_the_others_waiting(bench) -> None:
    bench.world.add(*range(1, 41))

    def poison(called: str, params: Any) -> None:
        if called == "erp.update" and params.key <= 12:
            raise RemoteFault("内部错误", "Internal error", code="500")

    bench.world.before = poison
    mapping = bench.mapping()
    for _ in range(2):
        summary = await bench.engine.run(mapping, "submit", MANUAL)
        assert (summary.state, summary.failed) == ("partial", 12) or summary.failed == summary.total == 12
    assert [key for key, row in bench.world.drafts.items() if row["Mark"] == "N"] == list(range(1, 13))
    assert len(bench.world.approvals) == 40


async def test_refused_documents_never_end_a_run(bench) -> None:
    bench.world.add(*range(1, 41))

    def refuse(called: str, params: Any) -> None:
        if called == "erp.update" and params.key <= 30:
            raise RemoteRefused("余额不足", "No budget", code="-10")

    bench.world.before = refuse
    summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (summary.total, summary.failed, summary.done) == (40, 30, 10)
    assert bench.world.count("erp-1.test") == 0


async def test_a_document_with_many_failing_calls_is_one_failure(bench) -> None:
    bench.world.add(1, 2)
    lines = [{"Text": str(number)} for number in range(30)]
    each = bench.submit_steps[1]
    comments = {
        "each": "{{ settings.lines }}", "as": "line", "concurrency": 4,
        "steps": [
            {"try": [{"call": "oa.get_approval", "with": {"instance_id": "{{ line.Text }}"}}],
             "catch": [{"set": {"failed": True}}]},
        ],
    }  # fmt: skip
    mapping = bench.mapping(submit=[bench.submit_steps[0], {**each, "steps": [comments, *each["steps"]]}])
    mapping = mapping.model_copy(update={"settings": {"lines": lines}})

    async def gone(_params: Any) -> Any:
        raise Unreachable("连不上", "Cannot connect")

    object.__setattr__(bench.pool.connectors["oa-1"].actions["get_approval"], "run", gone)
    summary = await bench.engine.run(mapping, "submit", MANUAL)
    assert (summary.state, summary.done) == ("succeeded", 2)


async def test_a_refused_login_ends_the_run_with_its_own_words(bench) -> None:
    bench.world.add(*range(1, 101))
    down(bench, LoginRefused("密码错误", "Wrong password"), "oa.create_approval")
    summary = await bench.engine.run(bench.mapping(), "submit", MANUAL)
    assert (summary.state, type(summary.error)) == ("failed", LoginRefused)
    assert bench.world.count("oa.create_approval") <= 4
    assert summary.total <= 6
