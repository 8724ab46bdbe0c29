"""What is known to be wrong with a mapping before it runs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from runtime.mapping.check import ActionShape, Problem, check_mapping
from runtime.mapping.document import parse_mapping

Actions = dict[str, dict[str, ActionShape]]
Edit = Callable[[dict[str, Any]], Any]


def problems_of(document: dict[str, Any], actions: Actions | None) -> list[Problem]:
    return check_mapping(parse_mapping(document), actions)


def submit(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["flows"]["submit"]
    return found


def inner(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = submit(document)["steps"][1]["steps"]
    return found


def spec(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = inner(document)[0]["map"]
    return found


def flow(*steps: Any, trigger: Any = None) -> dict[str, Any]:
    return {"trigger": trigger or {"manual": {}}, "steps": list(steps)}


def test_the_design_example_is_clean(document: dict[str, Any], actions: Actions) -> None:
    assert problems_of(document, actions) == []
    assert problems_of(document, None) == []


CONTROLS = [
    {"id": "C1", "label": "请购人员", "required": True},
    {"id": "C2", "label": "单据日期", "required": True},
    {"id": "C3", "label": "请购单别"},
    {"id": "C4", "label": "备注"},
    {
        "id": "T",
        "label": "物料表",
        "type": "table",
        "children": [{"id": "t1", "label": "品号"}, {"id": "t2", "label": "需求数量"}],
    },
]


def _set(path: str, value: Any) -> Edit:
    """An edit by path: ``a.0.b``."""

    def edit(document: dict[str, Any]) -> None:
        *way, last = path.split(".")
        place: Any = document
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value

    return edit


STEP = "flows.submit.steps[1].steps"


@pytest.mark.parametrize(
    ("edit", "where", "text"),
    [
        (_set("flows.submit.steps.0.call", "erb.query"), "flows.submit.steps[0].call", "'erp'"),
        (_set("flows.submit.steps.0.call", "erp.qery"), "flows.submit.steps[0].call", "'query'"),
        (_set("flows.submit.steps.0.with.pagesize", 5), "flows.submit.steps[0].with.pagesize", "'page_size'"),
        (lambda d: submit(d)["steps"][0]["with"].pop("entity"), "flows.submit.steps[0].with", "'entity'"),
        (_set("flows.submit.steps.0.with.filter", "{{ draft.x }}"), "flows.submit.steps[0].with.filter", "'draft'"),
        (
            _set("flows.submit.steps.0.with.filter", "{{ settings.marc }}"),
            "flows.submit.steps[0].with.filter",
            "'mark'",
        ),
        (
            _set("flows.submit.steps.0.with.filter", "{{ 1 + }}"),
            "flows.submit.steps[0].with.filter",
            "does not compile",
        ),
        (_set("flows.submit.steps.1.each", "{{ drfts }}"), "flows.submit.steps[1].each", "'drafts'"),
        (_set("flows.submit.steps.1.each", "drfts"), "flows.submit.steps[1].each", "'drafts'"),
        (_set("flows.submit.steps.1.as", "row"), "flows.submit.steps[1].as", "reserved"),
        (_set("flows.submit.steps.1.as", "drafts"), "flows.submit.steps[1].as", "taken"),
        (_set("flows.submit.steps.0.id", "settings"), "flows.submit.steps[0].id", "reserved"),
        (_set("flows.submit.steps.0.with.x{{ nope }}", 1), "flows.submit.steps[0].with", "'nope'"),
        (lambda d: inner(d)[0].update(id="approval"), f"{STEP}[1].id", "taken"),
        (lambda d: spec(d)["to"].update(connection="ao"), f"{STEP}[0].map.to.connection", "'oa'"),
        (lambda d: spec(d)["to"].update(form="{{ event.form }}"), f"{STEP}[0].map.to.form", "'event'"),
        (lambda d: spec(d)["fields"][0].update({"from": "A..B"}), f"{STEP}[0].map.fields[0].from", "path"),
        (lambda d: spec(d)["fields"][1].update(through=["dte"]), f"{STEP}[0].map.fields[1].through[0]", "'date'"),
        (lambda d: spec(d)["fields"][3].update(value="{{ row.x }}"), f"{STEP}[0].map.fields[3].value", "'row'"),
        (lambda d: spec(d)["tables"][0].update({"from": "["}), f"{STEP}[0].map.tables[0].from", "path"),
        (lambda d: spec(d)["fields"].append(spec(d)["fields"][0]), f"{STEP}[0].map", "twice"),
        (lambda d: spec(d)["to"].update(controls=CONTROLS[1:]), f"{STEP}[0].map.fields[0]", "no control"),
        (
            lambda d: (spec(d)["to"].update(controls=CONTROLS), spec(d)["fields"].pop(1)),
            f"{STEP}[0].map",
            "'单据日期' is not mapped",
        ),
        (
            _set("flows.submit.trigger.schedule.timezone", "Asia/Shangri-La"),
            "flows.submit.trigger.schedule.timezone",
            "zone",
        ),
        (_set("flows.submit.trigger.schedule", {"cron": "61 * * * *"}), "flows.submit.trigger.schedule.cron", "61"),
        (_set("flows.submit.trigger.schedule", {"cron": "* * * *"}), "flows.submit.trigger.schedule.cron", "five"),
        (_set("flows.submit.trigger.schedule.start", "tomorrow"), "flows.submit.trigger.schedule.start", "ISO"),
        (_set("flows.verdict.trigger.event.connection", "oo"), "flows.verdict.trigger.event.connection", "'oo'"),
        (_set("flows.verdict.trigger.event.form", "{{ draft }}"), "flows.verdict.trigger.event.form", "'draft'"),
        (_set("flows.more", flow({"run": "submt"})), "flows.more.steps[0].run", "'submit'"),
        (_set("flows.more", flow({"run": "more"})), "flows.more.steps[0].run", "itself"),
        (_set("flows.more", flow({"stop": "{{ error.message }}"})), "flows.more.steps[0].stop", "'error'"),
        (_set("flows.more", flow({"set": {"now": 1}})), "flows.more.steps[0].set.now", "reserved"),
        (_set("flows.more", flow({"set": {"a b": 1}})), "flows.more.steps[0].set.a b", "variable"),
        (_set("flows.more", flow({"respond": {"body": "{{ x }}"}})), "flows.more.steps[0].respond.body", "'x'"),
        (
            _set("flows.more", flow({"each": "{{ [1] }}", "steps": [{"set": {"x": 1}}]}, {"stop": "{{ x }}"})),
            "flows.more.steps[1].stop",
            "'x'",
        ),
        (
            _set("flows.more", flow({"while": "{{ y }}", "steps": [{"set": {"y": 1}}]})),
            "flows.more.steps[0].while",
            "'y'",
        ),
        (
            _set("flows.more", flow(trigger={"event": {"connection": "oa", "form": "PROC-DEMO-PR"}})),
            "flows.more.trigger.event",
            "verdict",
        ),
        (_set("cases.0.flow", "sbmit"), "cases[0].flow", "sbmit"),
        (_set("cases.0.expect", {"frm": {"a": 1}}), "cases[0].expect.frm", "no map step"),
        (_set("cases.0.expect.form.备注", "x"), "cases[0].expect.form.备注", "'x'"),
        (_set("cases.0.expect.form.more", "x"), "cases[0].expect.form.more", "—"),
        (_set("cases.0.expect.form.物料表.0.需求数量", 2), "cases[0].expect.form.物料表[0].需求数量", "2.01"),
        (lambda d: d["cases"][0]["input"]["draft"].pop("DocDate"), "cases[0].expect.form", "DocDate"),
    ],
)
def test_an_error_and_where_it_is(
    document: dict[str, Any], actions: Actions, edit: Edit, where: str, text: str
) -> None:
    edit(document)
    found = [problem for problem in problems_of(document, actions) if problem.where == where]
    assert found, problems_of(document, actions)
    assert text in found[0].en
    assert found[0].level == "error"
    assert found[0].zh != found[0].en


@pytest.mark.parametrize(
    ("step", "begins"),
    [
        ({"call": "erp.query", "with": {"entity": "{{ x }}"}}, "步 erp.query：表达式 | Step {} erp.query: The expr"),
        ({"id": "a", "call": "erp.query", "with": {"entity": "{{ x }}"}}, "步 a：表达式 | Step {} a: The expression"),
        ({"call": "erp.query"}, "步：erp.query 缺少参数 | Step {}: erp.query needs the parameter"),
        ({"if": "{{ x }}", "then": [{"stop": "enough"}]}, "步 if：表达式 | Step {} if: The expression"),
        ({"set": {"y": "{{ x }}"}}, "步 set：表达式 | Step {} set: The expression"),
    ],
)
def test_the_step_is_named_in_the_sentence(
    document: dict[str, Any], actions: Actions, step: dict[str, Any], begins: str
) -> None:
    stop = {"stop": "enough"}
    zh, en = begins.split(" | ")
    for number, steps in {
        "1": [step],
        "2.1": [stop, {"if": "{{ 1 }}", "then": [step]}],
        "1.2": [{"if": "{{ 1 }}", "then": [stop], "else": [stop, step]}],
        "1.1.2": [{"switch": "{{ 1 }}", "cases": [{"when": 1, "steps": [stop, step]}]}],
        "1.1": [{"try": [step], "catch": [stop]}],
        "2.1.1": [stop, {"each": "{{ [1] }}", "steps": [{"while": "{{ 0 }}", "steps": [step]}]}],
    }.items():
        document["flows"]["more"] = flow(*steps)
        [found] = problems_of(document, actions)
        assert found.zh.startswith(f"第 {number} {zh}")
        assert found.en.startswith(en.format(number))


def test_the_case_of_a_switch_is_numbered_and_what_lies_in_no_step_is_left_alone(document: dict[str, Any]) -> None:
    cases = [{"when": 1, "steps": [{"stop": "x"}]}, {"when": "{{ x }}", "steps": [{"stop": "x"}]}]
    document["flows"]["more"] = flow({"id": "kind", "switch": "{{ 1 }}", "cases": cases})
    document["flows"]["submit"]["trigger"]["schedule"] = {"cron": "61 * * * *"}
    by_place = {problem.where: problem.en for problem in problems_of(document, None)}
    assert by_place["flows.more.steps[0].cases[1].when"].startswith("Step 1.2 kind: ")
    assert not by_place["flows.submit.trigger.schedule.cron"].startswith("Step")


def test_a_connection_that_does_not_exist(document: dict[str, Any], actions: Actions) -> None:
    del actions["oa"]
    found = problems_of(document, actions)
    assert {problem.where for problem in found} == {f"{STEP}[1].call", "flows.verdict.steps[0].call"}
    assert all("dingtalk-demo" in problem.en for problem in found)


def test_a_cycle_over_several_flows(document: dict[str, Any]) -> None:
    document["flows"] |= {
        "a": flow({"run": "b"}),
        "b": flow({"run": "c"}),
        "c": flow({"run": "a"}),
        "d": flow({"run": "a"}),
    }
    found = [problem.where for problem in problems_of(document, None)]
    assert found == [f"flows.{name}.steps[0].run" for name in "abc"]


def test_two_flows_on_one_address(document: dict[str, Any]) -> None:
    for name in ("a", "b"):
        document["flows"][name] = flow(trigger={"http": {"path": "x", "methods": ["GET", "POST"]}})
    assert {problem.where for problem in problems_of(document, None)} == {"flows.b.trigger.http"}


@pytest.mark.parametrize(
    ("trigger", "steps", "warned"),
    [
        ({"schedule": {"every": "1m"}}, [{"call": "erp.create", "with": {"entity": "E", "values": {}}}], True),
        (
            {"manual": {}},
            [{"each": "{{ [1] }}", "steps": [{"call": "erp.create", "with": {"entity": "E", "values": {}}}]}],
            True,
        ),
        (
            {"manual": {}},
            [
                {
                    "each": "{{ [1] }}",
                    "key": "{{ item }}",
                    "steps": [{"call": "erp.create", "with": {"entity": "E", "values": {}}}],
                }
            ],
            False,
        ),
        ({"http": {"path": "x"}}, [{"call": "erp.create", "with": {"entity": "E", "values": {}}}], False),
        (
            {"manual": {}},
            [{"if": "{{ 1 }}", "then": [{"call": "erp.create", "with": {"entity": "E", "values": {}}}]}],
            True,
        ),
    ],
)
def test_a_create_without_a_document_is_a_warning(
    document: dict[str, Any], actions: Actions, trigger: Any, steps: Any, warned: bool
) -> None:
    document["flows"]["more"] = {"trigger": trigger, "steps": steps}
    levels = [problem.level for problem in problems_of(document, actions)]
    assert levels == (["warning"] if warned else [])


def test_a_sub_flow_knows_the_document_of_its_callers(document: dict[str, Any], actions: Actions) -> None:
    create = {"call": "erp.create", "with": {"entity": "E", "values": "{{ input }}"}}
    document["flows"]["sub"] = flow(create)
    assert [problem.level for problem in problems_of(document, actions)] == ["warning"]
    inner(document).append({"run": "sub", "with": {"a": 1}})
    assert problems_of(document, actions) == []
    document["flows"]["other"] = flow({"run": "sub"})
    assert [problem.level for problem in problems_of(document, actions)] == ["warning"]


def test_names_of_branches_and_errors_are_known_behind_them(document: dict[str, Any]) -> None:
    document["flows"]["more"] = flow(
        {"if": "input.x", "then": [{"set": {"a": 1}}], "else": [{"set": {"b": 2}}]},
        {"switch": "{{ a }}", "cases": [{"when": 1, "steps": [{"set": {"c": "{{ b }}"}}]}], "default": []},
        {"try": [{"set": {"d": 1}}], "catch": [{"stop": "{{ error.message }} {{ c }}"}]},
        {"set": {"list": []}},
        {"each": "{{ [1, 2] }}", "steps": [{"set": {"list+": "{{ item ~ d }}"}}]},
        {"while": "{{ a < 3 }}", "limit": 5, "steps": [{"set": {"a": "{{ a + 1 }}", "e": "{{ now }}"}}]},
        {"id": "sub", "run": "other", "with": {"x": "{{ e }}"}},
        {"respond": {"status": "{{ 200 if sub else 404 }}", "body": {"{{ run_id }}": "{{ list }}"}}},
    )
    document["flows"]["other"] = flow({"respond": {"body": "{{ input.x }}"}})
    assert problems_of(document, None) == []


def test_an_empty_map_and_an_empty_case_are_warnings(document: dict[str, Any]) -> None:
    bare = copy.deepcopy(document)
    spec(bare)["fields"], spec(bare)["tables"] = [], []
    bare["cases"] = [{"name": "nothing", "flow": "submit"}]
    assert [(problem.level, problem.where) for problem in problems_of(bare, None)] == [
        ("warning", f"{STEP}[0].map"),
        ("warning", "cases[0].expect"),
    ]


@pytest.mark.parametrize("cron", ["0 8 * * 1-5", "*/5 8-18 1,15 jan-mar fri", "0 0 * * 7", "0 0 * * fri-mon"])
def test_good_crontabs(document: dict[str, Any], cron: str) -> None:
    submit(document)["trigger"] = {"schedule": {"cron": cron, "start": "2026-01-31T08:00"}}
    assert problems_of(document, None) == []


@pytest.mark.parametrize(
    "cron", ["0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *"]
)
def test_bad_crontabs(document: dict[str, Any], cron: str) -> None:
    submit(document)["trigger"] = {"schedule": {"cron": cron}}
    assert [problem.where for problem in problems_of(document, None)] == ["flows.submit.trigger.schedule.cron"]


def test_calls_are_not_checked_without_connections(document: dict[str, Any]) -> None:
    submit(document)["steps"][0]["call"] = "erp.anything"
    assert problems_of(document, None) == []
