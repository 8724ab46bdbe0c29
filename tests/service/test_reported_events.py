"""What a call to an HTTP flow reports, and a mapping whose trigger is wrong about it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.connectors.events import Outcome
from runtime.errors import BadMapping, IntegrationError, MappingFailed, RequestRejected
from runtime.mapping.check import check_mapping
from runtime.mapping.document import parse_mapping
from runtime.mapping.models import Mapping
from runtime.service.requests import manual_request, report_patience, reported_event

EVENT = {
    "connection": "oa",
    "instance_id": "{{ request.body.id }}",
    "outcome": "{{ {'Y': 'agreed', 'N': 'refused'}.get(request.body.said, request.body.said) }}",
    "approver": "{{ request.body.who | default('') }}",
}


def mapping(event: Any = EVENT, **http: Any) -> Mapping:
    trigger = {"http": http | ({"event": event} if event else {})}
    steps = [{"respond": {"body": "{{ event.outcome }}" if event else ""}}]
    flows = {"verdict": {"trigger": trigger, "steps": steps}}
    return parse_mapping({"format": 1, "id": "m", "connections": {"oa": "weaver-demo"}, "flows": flows})


def reported(body: Any, document: Mapping | None = None) -> Any:
    return reported_event(document or mapping(), "verdict", {"body": body})


def test_a_request_reports_the_end_of_an_approval() -> None:
    event = reported({"id": 8888, "said": "Y", "who": "陈经理"})
    assert (event.instance_id, event.outcome, event.approver) == ("8888", Outcome.AGREED, "陈经理")
    assert (event.type, event.raw["said"]) == ("approval.finished", "Y")
    assert reported({"id": "8888", "said": "Y"}).key == event.key
    assert reported({"id": "8888", "said": "N"}).key != event.key
    assert reported({"id": "8888", "said": ""}).outcome is None
    assert reported_event(mapping(None), "verdict", {"body": {}}) is None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"id": "", "said": "Y"}, RequestRejected),
        ({"id": None, "said": "Y"}, RequestRejected),
        ({"id": "9" * 121, "said": "Y"}, RequestRejected),
        ({"id": 1, "said": "maybe"}, RequestRejected),
        ({"said": "Y"}, MappingFailed),
        (None, MappingFailed),
        ([], MappingFailed),
    ],
)
def test_a_request_that_reports_nothing_is_refused(body: Any, error: type[IntegrationError]) -> None:
    with pytest.raises(error):
        reported(body)


@pytest.mark.parametrize(("wait", "seconds"), [(0, 0), ("{{ request.body.wait }}", 2.5), ("300", 300)])
def test_the_caller_says_how_long_it_waits(wait: Any, seconds: float) -> None:
    assert report_patience(mapping(EVENT | {"wait": wait}), "verdict", {"body": {"wait": 2.5}}) == seconds
    assert report_patience(mapping(), "verdict", {"body": {}}) == 20


@pytest.mark.parametrize("wait", [-1, 301, "soon", "{{ request.body }}"])
def test_a_wait_that_is_no_number_of_seconds_is_the_mappings_fault(wait: Any) -> None:
    with pytest.raises(BadMapping, match="wait"):
        report_patience(mapping(EVENT | {"wait": wait}), "verdict", {"body": {}})


def test_a_role_without_a_connection_is_the_mappings_fault() -> None:
    wrong = EVENT | {"connection": "nobody", "outcome": "{{ input.x }}"}
    problems = [problem for problem in check_mapping(mapping(wrong)) if problem.level == "error"]
    assert {problem.where for problem in problems} == {
        "flows.verdict.trigger.http.event.connection",
        "flows.verdict.trigger.http.event.outcome",
    }


def test_an_address_is_given_or_the_mappings_own() -> None:
    assert mapping().http_path("verdict") == "m/verdict"
    assert mapping(path="oa/verdict").http_path("verdict") == "oa/verdict"
    assert mapping().flows["verdict"].trigger.event_role == "oa"
    assert mapping(None).flows["verdict"].trigger.event_role == ""


def test_a_run_by_hand_reports_the_same() -> None:
    request = manual_request(mapping(), "verdict", input={"id": 8888, "said": "N"})
    assert request.event is not None
    assert (request.connection, request.event.outcome) == ("weaver-demo", Outcome.REFUSED)
