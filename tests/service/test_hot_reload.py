"""Mappings that change while the runtime works."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest

from runtime.store.runs import RunInfo, list_runs

pytestmark = [pytest.mark.acceptance]


def counting(mapping_id: str, note: str, **changes: Any) -> dict[str, Any]:
    """A mapping that needs no other system: its run says ``note``."""
    return {
        "format": 1,
        "id": mapping_id,
        "flows": {"tick": {"trigger": {"schedule": {"every": "1s"}}, "steps": [{"stop": note}]}},
        **changes,
    }


@pytest.fixture
def http(desk: Any) -> Any:
    desk.save(counting("alpha", "first version"))
    with httpx.Client(base_url=desk.serve().address(), trust_env=False, timeout=30) as client:
        yield client


def newest(desk: Any) -> RunInfo | None:
    runs = desk.read(lambda connection: list_runs(connection, states=["succeeded"], limit=1))
    return runs[0] if runs else None


def newest_note(desk: Any) -> str:
    run = newest(desk)
    return run.note if run else ""


def test_a_changed_mapping_takes_effect_without_a_restart(desk: Any, http: httpx.Client, eventually: Any) -> None:
    eventually(lambda: "first version" in newest_note(desk), what="the first version runs")
    desk.save(counting("alpha", "second version"))
    eventually(lambda: "second version" in newest_note(desk), what="the second version runs")


def test_a_mapping_can_come_and_go(desk: Any, http: httpx.Client, eventually: Any) -> None:
    path = desk.save(counting("beta", "x"))
    eventually(lambda: "beta/tick" in http.get("/readyz").json()["next_runs"], what="beta is scheduled")
    path.unlink()
    eventually(lambda: "beta/tick" not in http.get("/readyz").json()["next_runs"], what="beta is gone")
    desk.save(counting("alpha", "x", enabled=False))
    eventually(lambda: not http.get("/readyz").json()["next_runs"], what="alpha is switched off")


def test_an_http_flow_that_is_switched_off_has_no_address(desk: Any, http: httpx.Client, eventually: Any) -> None:
    flow = {"trigger": {"http": {"path": "scan"}}, "steps": [{"respond": {"body": {"done": True}}}]}
    mapping = counting("scanner", "x")
    mapping["flows"]["answer"] = flow
    desk.save(mapping)
    eventually(lambda: http.post("/flows/scan").status_code == 401, what="the flow has its address")
    desk.save(mapping | {"enabled": False})
    eventually(lambda: "scanner/tick" not in http.get("/readyz").json()["next_runs"], what="the mapping is off")
    assert http.post("/flows/scan").status_code == 404


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.update(flowz={}),
        lambda document: document["flows"]["tick"]["steps"].append({"if": "{{ 1 +", "then": []}),
        lambda document: document["flows"]["tick"]["trigger"]["schedule"].update(timezone="Mars/Olympus"),
    ],
    ids=["misspelt key", "broken expression", "unknown zone"],
)
def test_a_broken_file_leaves_the_last_good_version_in_force(
    desk: Any, http: httpx.Client, eventually: Any, damage: Any
) -> None:
    eventually(lambda: "first version" in newest_note(desk), what="the first version runs")
    broken = copy.deepcopy(counting("alpha", "broken version"))
    damage(broken)
    desk.save(broken)
    ready = eventually(lambda: found if (found := http.get("/readyz").json())["problems"] else None, what="reported")
    assert ready["ready"]
    [problem, *_] = ready["problems"]["alpha"]
    assert problem["zh"]
    assert problem["en"]
    assert "alpha/tick" in ready["next_runs"]
    assert "mapping is broken" in desk.started[0].output
    before = newest(desk)
    eventually(lambda: newest(desk) != before, what="the flow goes on running")
    assert "first version" in newest_note(desk)
    desk.save(counting("alpha", "repaired"))
    eventually(lambda: not http.get("/readyz").json()["problems"], what="the repair is taken up")


def test_a_file_that_was_never_good_makes_it_unready_and_says_why(
    desk: Any, http: httpx.Client, eventually: Any
) -> None:
    (desk.mappings / "gamma.json").write_text("{ not json", "utf-8")
    answer = eventually(lambda: found if (found := http.get("/readyz")).status_code == 503 else None, what="unready")
    assert "gamma" in answer.json()["reasons"][0]
    assert http.get("/healthz").status_code == 200
