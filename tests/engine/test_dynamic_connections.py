"""The connection of a role is chosen at the beginning of a run, among those that the mapping lists and no others."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from runtime.engine.check import check_with_connections
from runtime.engine.preview import preview
from runtime.engine.request import RunRequest
from runtime.errors import MappingFailed, Unreachable
from runtime.mapping.check import check_mapping
from runtime.mapping.choosing import choices, names_of
from runtime.mapping.document import dump_mapping, find_problems, parse_mapping
from runtime.mapping.models import Mapping
from runtime.mapping.schema import mapping_schema
from runtime.store.listings import list_deliveries

CHOICE = {"choose": "{{ request.body.company }}", "among": {"CN": "erp-1", "HK": "erp-2"}, "default": "erp-1"}
UPDATE = {"call": "erp.update", "with": {"entity": "Drafts", "key": 1, "values": {"By": "{{ choices.erp }}"}}}
COMMENT = {"call": "oa.comment", "with": {"text": "hello"}}


def dynamic(bench: Any, steps: list[dict[str, Any]], *, choice: Any = CHOICE, flow: str = "inbound") -> Mapping:
    document = bench.mapping(**{flow: steps}).model_dump(by_alias=True, exclude_defaults=True)
    return parse_mapping({"format": 1, **document, "connections": {"erp": choice, "oa": "oa-1"}})


def asked(company: Any) -> RunRequest:
    return RunRequest(cause="http", request={"body": {"company": company}}, input={"company": company})


@pytest.mark.parametrize(("company", "used"), [("CN", "erp-1"), (" HK ", "erp-2"), ("", "erp-1"), (None, "erp-1")])
async def test_the_request_chooses_and_the_choice_holds_for_the_whole_run(bench, company, used) -> None:
    bench.world.add(1)
    shown = await preview(dynamic(bench, [UPDATE]), "inbound", bench.pool, request={"body": {"company": company}})
    assert [sent.connection for sent in shown.documents[0].sent] == [used]
    read = {"id": "rows", "call": "erp.query", "with": {"entity": "Drafts"}}
    each = {"each": "{{ rows }}", "as": "draft", "key": "{{ draft.DocEntry }}", "steps": [UPDATE]}
    summary = await bench.engine.run(dynamic(bench, [read, each]), "inbound", asked(company))
    assert (summary.state, summary.done) == ("succeeded", 1)
    assert bench.world.drafts[1]["By"] == ["CN", "HK"]
    # The ledger names the company, so the same key in another one is another document.
    assert [one.source for one in bench.db.read(list_deliveries)] == [f"{used}/Drafts"]


async def test_what_is_not_listed_is_refused_before_the_first_step(bench) -> None:
    bench.world.add(1)
    for company in ("erp-2", "SECRET", ["CN"]):
        summary = await bench.engine.run(dynamic(bench, [COMMENT, UPDATE]), "inbound", asked(company))
        assert summary.state == "failed"
        assert isinstance(summary.error, MappingFailed)
    shown = await preview(dynamic(bench, [COMMENT]), "inbound", bench.pool, request={"body": {"company": "x"}})
    assert shown.error is None, "a flow that does not use the role needs no choice"
    shown = await preview(dynamic(bench, [UPDATE]), "inbound", bench.pool, request={"body": {"company": "x"}})
    assert "'x'" in str(shown.error)
    assert "CN" in str(shown.error)
    required = {"choose": CHOICE["choose"], "among": CHOICE["among"]}
    summary = await bench.engine.run(dynamic(bench, [UPDATE], choice=required), "inbound", asked(None))
    assert isinstance(summary.error, MappingFailed)
    assert bench.world.calls == []


async def test_settings_choose_for_a_flow_that_nobody_asks(bench) -> None:
    bench.world.add(1)
    choice = {"choose": "{{ settings.mark }}", "among": {"Mark": "erp-2"}}
    summary = await bench.engine.run(
        dynamic(bench, [UPDATE], choice=choice, flow="go"), "go", RunRequest(cause="manual")
    )
    assert summary.state == "succeeded"


def test_the_document_survives_its_canonical_form(bench) -> None:
    mapping = dynamic(bench, [UPDATE])
    written = dump_mapping(mapping)
    assert parse_mapping(written) == mapping
    schema = jsonschema.Draft202012Validator(mapping_schema())
    schema.validate(json.loads(written))
    with pytest.raises(jsonschema.ValidationError):
        schema.validate({**json.loads(written), "connections": {"erp": {"choose": "x"}}})
    assert names_of(mapping, "erp") == ("erp-1", "erp-2")
    assert names_of(mapping, "oa") == ("oa-1",)
    assert choices(mapping) == {"erp": ["CN", "HK"], "oa": []}
    assert check_mapping(mapping) == []


@pytest.mark.parametrize(
    ("choice", "where"),
    [
        ({"choose": "x", "amongst": {"a": "b"}}, "connections.erp.amongst"),
        ({"choose": "x", "among": {}}, "connections.erp.among"),
        ({"choose": "x", "among": {"a": 1}}, "connections.erp.among.a"),
        (7, "connections.erp"),
    ],
)
def test_what_is_written_wrong_is_named(bench, choice, where) -> None:
    document = bench.mapping(go=[UPDATE]).model_dump(by_alias=True, exclude_defaults=True)
    problems = find_problems({"format": 1, **document, "connections": {"erp": choice, "oa": "oa-1"}})
    assert [problem.where for problem in problems] == [where]


@pytest.mark.parametrize(
    ("flow", "choose", "said"),
    [
        ("go", "{{ request.body.company }}", "no 'request'"),
        ("verdict", "{{ request.body.company }}", "no 'request'"),
        ("inbound", "{{ event.form }}", "'event'"),
        ("inbound", "{{ settings.compny }}", "'compny'"),
        ("inbound", "{{ request.", "never closed"),
    ],
)
def test_a_choice_that_cannot_be_made_is_an_error_of_the_mapping(bench, flow, choose, said) -> None:
    mapping = dynamic(bench, [UPDATE], choice={**CHOICE, "choose": choose}, flow=flow)
    problems = [problem for problem in check_mapping(mapping) if problem.level == "error"]
    assert problems
    assert all(problem.where.startswith("connections.erp.choose") for problem in problems)
    assert any(said in problem.en for problem in problems), problems


async def test_events_come_from_a_fixed_connection_and_choices_are_of_one_kind(bench) -> None:
    document = bench.mapping(verdict=[COMMENT]).model_dump(by_alias=True, exclude_defaults=True)
    choice = {"choose": "{{ settings.mark }}", "among": {"a": "oa-1", "b": "erp-1"}}
    mapping = parse_mapping({"format": 1, **document, "connections": {"erp": "erp-1", "oa": choice}})
    problems = await check_with_connections(mapping, bench.pool)
    assert [problem.where for problem in problems if problem.level == "error"] == [
        "connections.oa.among",
        "flows.verdict.trigger.event.connection",
    ]


async def test_a_verdict_has_the_write_back_finished_in_the_company_that_the_document_came_from(bench) -> None:
    """The request that chose the company is long over; the default company must not be taken instead."""
    bench.world.add(1)
    choice = {**CHOICE, "choose": "{{ request.body.company if request is defined else '' }}"}
    mapping = dynamic(bench, bench.submit_steps, choice=choice)

    def down(name: str, params: Any) -> None:
        if name == "erp.update":
            raise Unreachable("连不上", "unreachable")

    bench.world.before = down
    summary = await bench.engine.run(mapping, "inbound", asked("HK"))
    assert summary.failed == 1
    bench.world.before = lambda _name, _params: None
    delivery = await bench.engine.finish_pending(mapping, "oa-1", "i1")
    assert delivery.source == "erp-2/Drafts"
    assert bench.world.drafts[1]["Mark"] == "Y"
    [stored] = bench.db.read(list_deliveries)
    assert (stored.source, stored.state) == ("erp-2/Drafts", "complete")
    assert {one.connection for one in stored.effects.values() if one.action == "update"} == {"erp-2"}
    for request in (RunRequest(cause="schedule"), RunRequest(cause="event", only="1", read_from="erp-9")):
        refused = await bench.engine.run(mapping, "inbound", request)
        assert isinstance(refused.error, MappingFailed)
    assert len(bench.world.approvals) == 1
