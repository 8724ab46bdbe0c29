"""What a call to an HTTP flow reports, and a mapping whose trigger is wrong about it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.connectors.base import Outcome
from runtime.errors import IntegrationError, MappingFailed, RequestRejected
from runtime.mapping.check import check_mapping
from runtime.mapping.document import parse_mapping
from runtime.mapping.models import Mapping
from runtime.service.requests import manual_request, reported_event

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
        ({"id": 1, "said": "maybe"}, RequestRejected),
        ({"said": "Y"}, MappingFailed),
        (None, MappingFailed),
        ([], MappingFailed),
    ],
)
def test_a_request_that_reports_nothing_is_refused(body: Any, error: type[IntegrationError]) -> None:
    with pytest.raises(error):
        reported(body)


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
