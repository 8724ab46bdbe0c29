"""Mappings that would send the same documents are found before they do, and no others are."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.engine.overlaps import overlaps
from runtime.engine.releasing import check_releasing
from runtime.mapping.document import parse_mapping
from runtime.mapping.models import Mapping
from runtime.mapping.shared_verdicts import shared_verdicts
from runtime.mapping.templates import gallery, instantiate

REQUESTS = """SELECT T0."DocEntry" FROM ODRF T0 WHERE T0."ObjType" = '1470000113' AND IFNULL(T0."U_ISSYN",'N') = 'N'"""
#: The setting without which a template is none, by the system it is for.
FORMS = {"dingtalk": "process_code", "wecom": "template_id", "weaver": "workflow"}


def made(name: str, template: str = "dingtalk-approval-odata", **changed: Any) -> Mapping:
    """A mapping from a template, switched on; settings, and connections by role."""
    chosen = next(one for one in gallery() if one.id == template)
    roles = {role: changed.pop(role, "b1" if role != "oa" else "oa") for role in chosen.connections}
    form = FORMS[template.partition("-")[0]]
    settings = {one.name: "45" for one in chosen.settings if one.name == form} | changed
    mapping = instantiate(chosen, id=name, title="", connections=roles, settings=settings)
    return mapping.model_copy(update={"enabled": True})


def told(*mappings: Mapping, company: dict[str, str] | None = None) -> set[tuple[str, str]]:
    """Who is warned of whom."""
    found = overlaps(mappings, lambda name: (company or {}).get(name, name))
    assert all(repr(one.mapping) in one.problem.en and repr(one.other) in one.problem.en for one in found)
    return {(one.mapping, one.other) for one in found}


BOTH = {("one", "two"), ("two", "one")}
WARNED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"process_code": "A"}, {"process_code": "B", "mark": "U_OTHER"}),
    ({}, {"template": "weaver-approval-odata"}),
    ({}, {"template": "wecom-approval-odata"}),
    ({}, {"template": "wecom-approval-odata", "stage_approver": "5"}),
    ({"template": "wecom-approval-odata", "stage_approver": "5"}, {"template": "wecom-approval-odata"}),
    ({}, {"filter": "U_Urgent eq 'Y'"}),
    ({}, {"template": "dingtalk-document-odata", "object": "Drafts"}),
    ({}, {"template": "dingtalk-approval-sql", "header_sql": REQUESTS, "source": "replica"}),
    (
        {"template": "dingtalk-approval-sql", "header_sql": REQUESTS},
        {"template": "weaver-approval-sql", "header_sql": REQUESTS.replace(" = 'N'", " <> 'Y'")},
    ),
]
APART: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"document_type": "22"}),
    ({}, {"erp": "b1-other"}),
    ({"object": "Drafts"}, {"object": "StockTransferDrafts"}),
    ({"filter": "U_Dept eq 'A'"}, {"filter": "U_Dept eq 'B' or U_Dept eq 'C'"}),
    (
        {"template": "wecom-approval-odata", "stage_approver": "4"},
        {"template": "wecom-approval-odata", "stage_approver": "5"},
    ),
    ({}, {"template": "dingtalk-document-odata", "object": "PurchaseRequests"}),
    ({}, {"template": "dingtalk-approval-sql", "header_sql": REQUESTS.replace("1470000113", "22")}),
    (
        {"template": "dingtalk-approval-sql", "header_sql": REQUESTS},
        {"template": "dingtalk-approval-sql", "header_sql": REQUESTS.replace("1470000113", "22")},
    ),
    ({}, {"template": "dingtalk-withdraw", "object": "Drafts"}),
]


@pytest.mark.parametrize(("one", "two"), WARNED)
def test_the_same_documents_are_told_of_with_both_names(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert told(made("one", **one), made("two", **two)) == BOTH


@pytest.mark.parametrize(("one", "two"), APART)
def test_other_documents_are_none_of_their_business(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert told(made("one", **one), made("two", **two)) == set()


def test_one_that_is_switched_off_does_not_count() -> None:
    off = made("two").model_copy(update={"enabled": False})
    assert told(made("one"), off) == set()


def test_two_connections_to_one_company_lead_to_the_same_documents() -> None:
    mappings = made("one"), made("two", erp="b1-as-manager")
    assert told(*mappings) == set()
    assert told(*mappings, company={"b1": "SBODEMO", "b1-as-manager": "SBODEMO"}) == BOTH


def test_a_chosen_connection_is_the_one_that_the_settings_choose() -> None:
    choice = {"choose": "{{ settings.filter and 'B' }}", "among": {"A": "b1", "B": "b2"}, "default": "b1"}
    assert told(made("one"), made("two", erp=choice)) == BOTH
    assert told(made("one"), made("two", erp=choice, filter="U_X eq 1")) == set()


def flow(condition: str = "", *, trigger: dict[str, Any] | None = None) -> dict[str, Any]:
    create: list[dict[str, Any]] = [{"run": "send", "with": {"draft": "{{ draft }}"}}]
    steps = [{"if": condition, "then": create}] if condition else create
    read = {"id": "drafts", "call": "erp.query", "with": {"entity": "Drafts", "filter": "U_Day eq '{{ now | date }}'"}}
    each = {"each": "{{ drafts }}", "as": "draft", "key": "{{ draft.DocEntry }}", "steps": steps}
    return {"trigger": trigger or {"schedule": {"every": "1m"}}, "steps": [read, each]}


def written(name: str, **flows: dict[str, Any]) -> Mapping:
    create = {"call": "oa.create_approval", "with": {"form": "F", "values": {}, "originator": "u"}}
    send = {"trigger": {"manual": {}}, "steps": [create]}
    document = {"format": 1, "id": name, "connections": {"erp": "b1", "oa": "oa"}, "settings": {"on": False}}
    return parse_mapping({**document, "flows": {**flows, "send": send}})


def test_sub_flows_and_conditions_are_looked_through() -> None:
    assert told(written("one", a=flow()), written("two", b=flow("{{ draft.U_X }}"))) == BOTH
    assert told(written("one", a=flow("{{ draft.U_X }}")), written("two", b=flow("{{ not draft.U_X }}"))) == set()
    assert told(written("one", a=flow()), written("two", b=flow("{{ settings.on }}"))) == set()


def test_a_flow_that_only_runs_by_hand_sends_nothing_by_itself() -> None:
    assert told(written("one", a=flow()), written("two", b=flow(trigger={"manual": {}}))) == set()


def test_two_flows_of_one_mapping_count_too() -> None:
    [(name, other, problem), _] = overlaps([written("one", a=flow(), b=flow())], str)
    assert (name, other, problem.level, problem.where) == ("one", "one", "warning", "flows.a")
    assert "flow b" in problem.en
    assert "流程 b" in problem.zh


def test_a_filter_that_only_a_run_can_tell_is_the_same_where_it_is_written_the_same() -> None:
    def by_run(field: str) -> dict[str, Any]:
        known = flow()
        known["steps"].insert(0, {"set": {"limit": "{{ now | date }}"}})
        known["steps"][1]["with"]["filter"] = f"{field} ge '{{{{ limit }}}}'"
        return known

    assert told(written("one", a=by_run("A")), written("two", a=by_run("A"))) == BOTH
    assert told(written("one", a=by_run("A")), written("two", a=by_run("B"))) == set()


def waiting(name: str, form: str | None, connection: str = "oa", *, enabled: bool = True) -> Mapping:
    event = {"connection": "oa"} if form is None else {"connection": "oa", "form": form}
    verdict = {"trigger": {"event": event}, "steps": [{"stop": "enough"}]}
    settings = {"form": "F", "none": None}
    document = {"format": 1, "id": name, "connections": {"oa": connection}, "settings": settings, "enabled": enabled}
    return parse_mapping({**document, "flows": {"verdict": verdict}})


@pytest.mark.parametrize("form", [None, "{{ settings.none }}"])
def test_a_verdict_flow_without_a_form_is_told_who_else_uses_the_connection(form: str | None) -> None:
    [(name, problem)] = shared_verdicts([waiting("every", form), waiting("one", "F"), waiting("two", "G")])
    assert (name, problem.level, problem.where) == ("every", "warning", "flows.verdict.trigger.event.form")
    assert "one, two use" in problem.en


@pytest.mark.parametrize(
    "other", [waiting("one", "F", "elsewhere"), waiting("one", "F", enabled=False), waiting("every", "F")]
)
def test_a_verdict_flow_without_a_form_is_fine_where_nobody_else_uses_the_connection(other: Mapping) -> None:
    assert list(shared_verdicts([waiting("every", None), other])) == []


def test_a_verdict_flow_with_a_form_is_fine() -> None:
    assert list(shared_verdicts([waiting("one", "{{ settings.form }}"), waiting("two", "G")])) == []


@pytest.mark.parametrize("template", ["dingtalk-approval-sql", "wecom-approval-sql"])
def test_a_statement_has_to_show_the_mark_that_a_withdrawal_takes_back(template: str) -> None:
    [problem] = check_releasing(made("one", template, header_sql=REQUESTS, withdrawn="release"))
    assert problem.level == "warning"
    assert "U_ISSYN" in problem.en
    assert "drafts" in problem.where


@pytest.mark.parametrize(
    ("template", "changed"),
    [
        ("dingtalk-approval-sql", {"withdrawn": "refuse"}),
        ("dingtalk-approval-sql", {"header_sql": REQUESTS.replace(" FROM", ', T0."U_IsSyn" FROM')}),
        ("dingtalk-approval-sql", {"header_sql": REQUESTS.replace('T0."DocEntry"', "*")}),
        ("dingtalk-approval-sql", {"header_sql": "no SQL"}),
        ("dingtalk-approval-odata", {}),
    ],
)
def test_what_shows_the_mark_or_takes_nothing_back_is_fine(template: str, changed: dict[str, Any]) -> None:
    statement = {"header_sql": REQUESTS} if template.endswith("sql") else {}
    assert list(check_releasing(made("one", template, **{"withdrawn": "release"} | statement | changed))) == []
