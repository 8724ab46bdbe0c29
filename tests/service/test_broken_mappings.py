"""Reports to a mapping whose file is broken: kept where the runtime still knows the flow, never acknowledged else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from runtime.sandbox import demo
from runtime.store.inbox import list_events

pytestmark = [pytest.mark.acceptance]

REPORT = {"id": "8888", "said": "agreed"}
EVENT = {"connection": "oa", "instance_id": "{{ request.body.id }}", "outcome": "{{ request.body.said }}"}


def mapping(name: str, **trigger: Any) -> dict[str, Any]:
    """A flow that reports of verdicts go to; it needs no other system."""
    steps = [{"respond": {"body": {"flag": "Y", "version": 1}}}]
    return {
        "format": 1,
        "id": name,
        "connections": {"oa": demo.WEAVER_CONNECTION},
        "flows": {"verdict": {"trigger": {"http": {**trigger, "event": EVENT}}, "steps": steps}},
    }


@pytest.fixture
def codes(desk: Any) -> dict[str, str]:
    """AppCodes of two mappings, as their callers have them since the mappings were good."""
    desk.import_connections()
    for name in ("verdicts", "others"):
        desk.save(mapping(name))
    desk.save(mapping("elsewhere", path="oa/verdict"))
    listed = desk.command("appcodes", "list").stdout.splitlines()[1:]
    return {line.split()[0].partition("/")[0]: line.split()[-1] for line in listed}


def break_off(desk: Any, name: str) -> None:
    (desk.mappings / f"{name}.json").write_text('{"format": 1, "id": ', "utf-8")


def post(base: str, path: str, code: str | None) -> httpx.Response:
    headers = {} if code is None else {"X-Apig-AppCode": code}
    return httpx.post(f"{base}/flows/{path}", json=REPORT, headers=headers, trust_env=False, timeout=30)


def kept(desk: Any) -> list[str]:
    return [one.state for one in desk.read(list_events)]


@pytest.mark.parametrize("damage", ["broken JSON", "no version that fits"])
def test_a_file_that_breaks_while_the_runtime_works_costs_no_report(
    desk: Any, codes: dict[str, str], eventually: Any, damage: str
) -> None:
    base = desk.serve().address()
    if damage == "broken JSON":
        break_off(desk, "verdicts")
    else:
        desk.save(mapping("verdicts", keyy="{{ request.body.id }}"))
    ready = f"{base}/readyz"
    eventually(lambda: "verdicts" in httpx.get(ready, trust_env=False).json()["problems"], what="it is seen")
    answer = post(base, "verdicts/verdict", codes["verdicts"])
    assert (answer.status_code, answer.json()["flag"]) == (200, "Y"), answer.text
    assert kept(desk) == ["done"]


@pytest.mark.parametrize(("name", "path"), [("verdicts", "verdicts/verdict"), ("elsewhere", "oa/verdict")])
def test_what_cannot_be_kept_is_not_acknowledged_and_comes_again(
    desk: Any, codes: dict[str, str], eventually: Any, name: str, path: str
) -> None:
    good = (desk.mappings / f"{name}.json").read_text("utf-8")
    break_off(desk, name)
    base = desk.serve().address()
    refused = post(base, path, codes[name])
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (503, True), refused.text
    assert "无法加载" in refused.json()["error"]["message"]
    # A stranger is told what he is told anywhere, and so is the caller of another flow.
    nowhere = post(base, "no/such/address", None)
    for code in (None, "", "wrong", codes["others"]):
        answer = post(base, path, code)
        assert (answer.status_code, answer.content) == (404, nowhere.content)
    assert kept(desk) == []
    (desk.mappings / f"{name}.json").write_text(good, "utf-8")
    answer = eventually(lambda: (found := post(base, path, codes[name])).status_code != 503 and found)
    assert (answer.status_code, answer.json()["flag"]) == (200, "Y"), answer.text
    assert kept(desk) == ["done"]


def test_the_other_mappings_of_a_runtime_with_a_broken_one_are_as_ever(desk: Any, codes: dict[str, str]) -> None:
    break_off(desk, "verdicts")
    base = desk.serve().address()
    assert post(base, "others/verdict", codes["others"]).status_code == 200
    assert post(base, "others/verdict", codes["verdicts"]).status_code == 401
