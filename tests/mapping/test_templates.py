"""The gallery: templates are filled in, and what does not fit is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest

from runtime.errors import BadMapping
from runtime.mapping.check import ActionShape, check_mapping
from runtime.mapping.document import dump_mapping, parse_mapping
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import CallStep, EachStep, IfStep, Mapping
from runtime.mapping.schema import mapping_schema
from runtime.mapping.templates import Template, gallery, instantiate, load_template

CONNECTIONS = {"erp": "b1-demo", "oa": "dingtalk-demo"}
#: The templates whose mappings send approvals.
APPROVALS = ("dingtalk-approval-odata", "dingtalk-approval-sql", "dingtalk-document-odata")


@pytest.fixture
def dingtalk() -> Template:
    return next(template for template in gallery() if template.id == "dingtalk-approval-odata")


def new(template: Template, **settings: Any) -> Mapping:
    values = {"process_code": "PROC-1", **settings}
    return instantiate(template, id="my-approval", title="我的审批", connections=CONNECTIONS, settings=values)


def made(name: str, **settings: Any) -> Mapping:
    """A mapping from a template, each role played by a connection of the role's name."""
    template = next(one for one in gallery() if one.id == name)
    roles = {role: role for role in template.connections}
    values = {one.name: "PROC-1" for one in template.settings if one.name == "process_code"} | settings
    return instantiate(template, id="my-approval", title="", connections=roles, settings=values)


def test_every_template_is_told_in_two_languages() -> None:
    templates = gallery()
    assert templates
    for template in templates:
        assert template.title != template.title_en
        assert template.description
        assert template.description_en
        for setting in template.settings:
            assert setting.label
            assert setting.label_en
            assert bool(setting.help) == bool(setting.help_en)
            for option in setting.options:
                assert (option.label == option.label_en) == option.value.isdecimal(), (template.id, option)


def test_filled_in_it_is_a_mapping_fit_to_run(dingtalk: Template, actions: dict[str, dict[str, ActionShape]]) -> None:
    mapping = new(dingtalk, period="5m", page_size="50")
    assert mapping.template is not None
    assert (mapping.template.id, mapping.template.version) == (dingtalk.id, dingtalk.version)
    assert mapping.connections == CONNECTIONS
    assert mapping.settings["page_size"] == 50
    assert mapping.settings["mark"] == "U_ISSYN"
    assert mapping.flows["submit"].trigger.schedule is not None
    assert mapping.flows["submit"].trigger.schedule.every == "5m"
    # It stands in the schedule now: two places for one thing would soon disagree.
    assert "period" not in mapping.settings
    problems = check_mapping(mapping, actions)
    [problem] = problems
    assert (problem.level, problem.en.rpartition(": ")[2]) == ("warning", "No field is mapped yet")
    assert parse_mapping(dump_mapping(mapping)) == mapping


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dingtalk-approval-odata", {}),
        ("weaver-approval-sql", {"workflow": "45"}),
        ("weaver-master-data", {"interface": "items", "key_fields": "code"}),
        ("weaver-inbound-document", {}),
    ],
)
def test_without_fields_it_begins_switched_off(name: str, settings: dict[str, Any]) -> None:
    """Nothing is sent for it, and no empty form is refused every minute."""
    assert made(name, **settings).enabled is False


@pytest.mark.parametrize(
    ("name", "settings"),
    [("barcode-query", {"company": "演示"}), ("dingtalk-withdraw", {}), ("dingtalk-special-prices", {})],
)
def test_what_needs_no_fields_begins_switched_on(name: str, settings: dict[str, Any]) -> None:
    assert made(name, **settings).enabled is True


def test_every_setting_is_used() -> None:
    for template in gallery():
        body = str(template.flows)
        # The texts of the status are chosen by the outcome.
        assert "settings['status_' ~ " in body or "status_agreed" not in str(template.settings)
        unused = [item.name for item in template.settings if f"settings.{item.name}" not in body]
        assert set(unused) <= {"status_agreed", "status_refused", "status_withdrawn"}, template.id


@pytest.mark.parametrize("name", [*APPROVALS, "dingtalk-special-prices"])
def test_what_is_made_fits_the_schema_and_has_no_errors(name: str) -> None:
    mapping = made(name)
    jsonschema.Draft202012Validator(mapping_schema()).validate(json.loads(dump_mapping(mapping)))
    assert [problem for problem in check_mapping(mapping) if problem.level == "error"] == []


def submitted_by(mapping: Mapping) -> dict[str, Any]:
    query = mapping.flows["submit"].steps[0]
    assert isinstance(query, CallStep)
    params: dict[str, Any] = compile_value(query.with_)({"settings": mapping.settings})
    return params


@pytest.mark.parametrize(
    ("settings", "tail"),
    [
        ({}, " and AuthorizationStatus eq 'dasPending'"),
        ({"object": "StockTransferDrafts"}, " and AuthorizationStatus eq 'sasPending'"),
        ({"pending_only": "N"}, ""),
        ({"pending_only": "N", "submit": "U_IsSubmit"}, " and U_IsSubmit eq 'Y'"),
        ({"pending_only": "N", "filter": "U_A eq 'Y' or U_B eq 1"}, " and (U_A eq 'Y' or U_B eq 1)"),
    ],
)
def test_the_filter(dingtalk: Template, settings: dict[str, str], tail: str) -> None:
    params = submitted_by(new(dingtalk, document_type="22'", **settings))
    assert params["filter"] == f"DocObjectCode eq '22''' and (U_ISSYN eq 'N' or U_ISSYN eq null){tail}"
    assert params["page_size"] == 20


#: What every verdict flow knows of an approval that has ended.
EVENT = {
    "instance_id": "i-1", "document": None, "approver": "u1", "finished_at": datetime(2026, 11, 22, 17, tzinfo=UTC),
}  # fmt: skip
STATUS = {"U_Approver": "李娜", "U_ApprovalDate": "2026-11-23"}
RELEASED = {"U_ISSYN": "N", "U_instanceID": None}


def written_by(mapping: Mapping, outcome: str) -> list[dict[str, Any]]:
    """The parameters of every call that a verdict flow makes once it has found its document."""
    scope = {
        "settings": mapping.settings,
        "now": datetime(2026, 11, 23, 8, tzinfo=ZoneInfo("Asia/Shanghai")),
        "event": {**EVENT, "outcome": outcome},
        "detail": {"remarks": None, "approver": "李娜"},
        **{name: {"DocEntry": 7, "U_instanceID": "i-1"} for name in ("draft", "document")},
    }
    calls: list[dict[str, Any]] = []
    for step in mapping.flows["verdict"].steps[2:]:
        assert isinstance(step, IfStep)
        if not compile_value(step.if_)(scope):
            continue
        for inner in step.then:
            if not isinstance(inner, CallStep):
                return calls
            calls.append(compile_value(inner.with_)(scope))
    return calls


@pytest.mark.parametrize(
    ("outcome", "choice", "decided", "written"),
    [
        ("agreed", "refuse", True, [STATUS | {"U_ApprovalStatus": "同意"}]),
        ("refused", "refuse", True, [STATUS | {"U_ApprovalStatus": "拒绝"}]),
        ("withdrawn", "refuse", True, [STATUS | {"U_ApprovalStatus": "已撤销"}]),
        ("withdrawn", "status", False, [STATUS | {"U_ApprovalStatus": "已撤销"}]),
        ("withdrawn", "release", False, [STATUS | {"U_ApprovalStatus": "已撤销"}, RELEASED]),
        ("refused", "release", True, [STATUS | {"U_ApprovalStatus": "拒绝"}]),
    ],
)
@pytest.mark.parametrize("template", ["dingtalk-approval-odata", "dingtalk-approval-sql"])
def test_the_verdict_on_a_draft(
    template: str, outcome: str, choice: str, decided: bool, written: list[dict[str, Any]]
) -> None:
    mapping = made(template, withdrawn=choice)
    calls = written_by(mapping, outcome)
    if decided:
        remarks = "已撤销" if outcome == "withdrawn" else ""
        decision = {"draft": 7, "approved": outcome == "agreed", "remarks": remarks, "all_stages": True}
        assert calls.pop(0) == decision
    assert [call["values"] for call in calls] == written
    assert all((call["entity"], call["key"]) == ("Drafts", 7) for call in calls)


@pytest.mark.parametrize(
    ("outcome", "choice", "written"),
    [
        ("agreed", "refuse", [{"U_SUCCESS": "Y"}]),
        ("refused", "nothing", [{"U_SUCCESS": "N"}]),
        ("withdrawn", "refuse", [{"U_SUCCESS": "N"}]),
        ("withdrawn", "nothing", []),
        ("withdrawn", "release", [RELEASED | {"U_IsSubmit": "N"}]),
    ],
)
def test_the_verdict_on_a_document(outcome: str, choice: str, written: list[dict[str, Any]]) -> None:
    mapping = made("dingtalk-document-odata", object="OIR", withdrawn=choice, submit="U_IsSubmit")
    assert [call["values"] for call in written_by(mapping, outcome)] == written


def test_the_sql_template_writes_results_of_documents_and_only_fields_that_are_named() -> None:
    mapping = made(
        "dingtalk-approval-sql", object="OIR", result="U_SUCCESS", approver="", status="", date="U_ApprovalDate"
    )
    assert mapping.settings["approver"] == ""
    for outcome, result in (("agreed", "Y"), ("withdrawn", "N")):
        [call] = written_by(mapping, outcome)
        assert call["values"] == {"U_ApprovalDate": "2026-11-23", "U_SUCCESS": result}


@pytest.mark.parametrize(("there", "stops"), [("", False), (None, False), ("i-1", False), ("i-2", True)])
def test_a_verdict_on_an_older_approval_is_not_taken(there: str | None, stops: bool) -> None:
    """The document was submitted again meanwhile: what became of its first approval no longer matters."""
    for name in APPROVALS:
        mapping = made(name)
        guard = mapping.flows["verdict"].steps[2]
        assert isinstance(guard, IfStep)
        found = {"DocEntry": 7, "U_instanceID": there}
        scope = {"settings": mapping.settings, "event": EVENT, "draft": found, "document": found}
        assert compile_value(guard.if_)(scope) is stops
        assert compile_value(guard.if_)({**scope, "draft": None, "document": None}) is True


def test_everything_that_is_missing_or_wrong_is_named_at_once(dingtalk: Template) -> None:
    with pytest.raises(BadMapping) as caught:
        instantiate(
            dingtalk,
            id="x",
            title="",
            connections={"erp": "b1-demo", "aa": "y"},
            settings={
                "period": "soon",
                "mark": "U_X eq 'N' or 1",
                "page_size": "many",
                "withdrawn": "maybe",
                "colour": 1,
            },
        )
    for text in ("oa", "'aa'", "'colour'", "process_code", "period", "mark", "page_size", "withdrawn"):
        assert text in caught.value.en
    assert "钉钉审批模板" in caught.value.zh


def test_an_empty_setting_gives_way_to_the_default(dingtalk: Template) -> None:
    assert new(dingtalk, mark=None, object=" ").settings["mark"] == "U_ISSYN"


@pytest.mark.parametrize("name", ["U_单号", "@UDT", "CardCode"])
def test_names_of_fields(dingtalk: Template, name: str) -> None:
    assert new(dingtalk, key=name).settings["key"] == name


@pytest.mark.parametrize("name", ["a b", "a'b", "a,b", "1a", "a/b", "a\nb"])
def test_what_is_no_name_of_a_field(dingtalk: Template, name: str) -> None:
    with pytest.raises(BadMapping):
        new(dingtalk, key=name)


def test_a_wrong_template_names_its_file(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text('{"format": 1, "id": "x", "verson": 1}', encoding="utf-8")
    with pytest.raises(BadMapping) as caught:
        load_template(file)
    assert caught.value.where == "broken.json"


def test_all_types_of_settings(dingtalk: Template) -> None:
    declared = [
        {"name": "flag", "label": "开", "label_en": "On", "type": "boolean", "default": True},
        {"name": "text", "label": "值", "label_en": "Value", "type": "expression", "default": "{{ now }}"},
        {"name": "rate", "label": "率", "label_en": "Rate", "type": "number"},
    ]
    template = Template.model_validate(
        {
            **dingtalk.model_dump(exclude={"settings", "flows"}),
            "settings": declared,
            "flows": {"main": {"trigger": {"manual": {}}, "steps": []}},
        }
    )

    def settings(**values: Any) -> dict[str, Any]:
        return instantiate(template, id="x", title="", connections=CONNECTIONS, settings=values).settings

    assert settings() == {"flag": True, "text": "{{ now }}", "rate": None}
    assert settings(flag="N", rate="1.50")["flag"] is False
    assert str(settings(rate="1.50")["rate"]) == "1.50"
    with pytest.raises(BadMapping, match="text"):
        settings(text="{{ 1 + }}")


WECOM = {"erp": "b1-demo", "oa": "wecom-demo"}


@pytest.fixture
def wecom() -> Template:
    return next(template for template in gallery() if template.id == "wecom-approval-odata")


@pytest.mark.parametrize("kind", ["approval-odata", "document-odata", "approval-sql"])
def test_wecom_filled_in_is_a_mapping_fit_to_run(kind: str, actions: dict[str, dict[str, ActionShape]]) -> None:
    template = next(template for template in gallery() if template.id == f"wecom-{kind}")
    roles = {role: f"{role}-demo" for role in template.connections}
    settings = {"template_id": "3Tk", "object": "OIR", "approver": "", "opinion": "U_Remark"}
    mapping = instantiate(template, id="x", title="", connections=roles, settings=settings)
    assert mapping.settings["approver"] == ""
    problems = check_mapping(mapping, {role: actions[role] for role in roles})
    [problem] = problems
    assert (problem.level, problem.en.rpartition(": ")[2]) == ("warning", "No field is mapped yet")
    body = str(template.flows)
    unused = [item.name for item in template.settings if f"settings.{item.name}" not in body]
    assert [name for name in unused if not name.startswith("status_")] == []
    assert "settings['status_' ~ event.outcome]" in body


@pytest.mark.parametrize(
    ("approver", "lines", "stops"),
    [
        (None, [(1, 5, "ardPending")], False),
        (None, None, False),
        (5, [(1, 1, "ardPending"), (1, 5, "ardPending")], False),
        (4, [(1, 1, "ardPending"), (1, 5, "ardPending")], True),
        (5, [(1, 5, "ardApproved"), (2, 6, "ardPending")], True),
        (5, [(2, 5, "ardPending"), (1, 4, "ardPending")], True),
        (5, [(1, 5, "ardApproved")], True),
        (5, None, True),
    ],
)
def test_the_stage_check(wecom: Template, approver: int | None, lines: Any, stops: bool) -> None:
    """Stage 1 is the one that waits now."""
    settings = {"template_id": "3Tk", "stage_approver": approver}
    mapping = instantiate(wecom, id="x", title="", connections=WECOM, settings=settings)
    each = mapping.flows["submit"].steps[1]
    assert isinstance(each, EachStep)
    check = each.steps[2]
    assert isinstance(check, IfStep)
    rows = lines and [dict(zip(("StageCode", "UserID", "Status"), line, strict=True)) for line in lines]
    pending = {"CurrentStage": 1, "ApprovalRequestLines": rows}
    assert bool(compile_value(check.if_)({"settings": mapping.settings, "pending": pending})) is stops
