"""Reading and writing mapping documents: errors with JSON paths, one canonical form, the published schema."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BadMapping
from runtime.mapping.canonical import canonical_json
from runtime.mapping.document import LARGEST, dump_mapping, find_problems, parse_json, parse_mapping
from runtime.mapping.models import Mapping
from runtime.mapping.schema import mapping_schema


def data_of(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def minimal(**more: Any) -> dict[str, Any]:
    return {"format": 1, "id": "x", "flows": {"main": {"trigger": {"manual": {}}, "steps": []}}, **more}


def with_steps(*steps: Any) -> dict[str, Any]:
    return minimal(flows={"main": {"trigger": {"manual": {}}, "steps": list(steps)}})


def paths(document: dict[str, Any]) -> list[str]:
    return [problem.where for problem in find_problems(document)]


def test_the_design_example_round_trips(document: dict[str, Any]) -> None:
    mapping = parse_mapping(data_of(document), "x.json")
    written = dump_mapping(mapping)
    assert parse_mapping(written) == mapping
    assert dump_mapping(parse_mapping(written)) == written
    text = written.decode()
    assert text.endswith("}\n")
    assert text.splitlines()[1] == '  "format": 1,'
    assert max(map(len, text.splitlines())) <= 120
    again = json.loads(text)
    # A default that says nothing is not written.
    document["flows"]["verdict"]["trigger"]["event"].pop("type")
    assert again == document
    assert list(again) == list(document)


def test_a_misspelt_key_is_named_with_its_path_and_the_right_one(document: dict[str, Any]) -> None:
    fields = document["flows"]["submit"]["steps"][1]["steps"][0]["map"]["fields"]
    fields[1]["thrugh"] = fields[1].pop("through")
    fields[2]["valeu"] = fields[2].pop("value")
    with pytest.raises(BadMapping) as caught:
        parse_mapping(data_of(document), "x.json")
    for sentence in (caught.value.zh, caught.value.en):
        assert "flows.submit.steps[1].steps[0].map.fields[1].thrugh" in sentence
        assert "through" in sentence
        assert "flows.submit.steps[1].steps[0].map.fields[2].valeu" in sentence
        assert "pydantic" not in sentence
    assert caught.value.where == "x.json"


def test_a_single_error_stands_in_where(document: dict[str, Any]) -> None:
    document["enbled"] = document.pop("enabled")
    with pytest.raises(BadMapping) as caught:
        parse_mapping(document, "x.json")
    assert caught.value.where == "x.json: enbled"
    assert "enabled" in caught.value.en


@pytest.mark.parametrize(
    ("document", "path", "proposal"),
    [
        (minimal(settngs={}), "settngs", "settings"),
        (with_steps({"cal": "erp.query"}), "flows.main.steps[0].cal", "call"),
        (with_steps({"call": "erp.query", "map": {"from": "x"}}), "flows.main.steps[0].map", "exactly one"),
        (with_steps({"call": "query"}), "flows.main.steps[0].call", "role.action"),
        (with_steps({"each": "x", "steps": [], "concurrency": 0}), "flows.main.steps[0].concurrency", "at least 1"),
        (with_steps({"if": "x", "then": [], "esle": []}), "flows.main.steps[0].esle", "else"),
        (with_steps({"if": "x"}), "flows.main.steps[0].then", "missing"),
        (
            with_steps({"switch": "x", "cases": [{"wen": 1, "steps": []}]}),
            "flows.main.steps[0].cases[0].wen",
            "when",
        ),
        (
            with_steps({"switch": "x", "cases": [], "default": [{"stop": 5}]}),
            "flows.main.steps[0].default[0].stop",
            "text",
        ),
        (
            with_steps({"try": [{"stop": "x", "why": 1}], "catch": []}),
            "flows.main.steps[0].try[0].why",
            "Unknown key",
        ),
        (
            with_steps({"map": {"from": "x", "fields": [{"to": "a", "from": "A", "through": [5]}]}}),
            "flows.main.steps[0].map.fields[0].through[0]",
            "",
        ),
        (
            with_steps({"map": {"from": "x", "fields": [{"to": "a"}]}}),
            "flows.main.steps[0].map.fields[0]",
            "'from' and 'value'",
        ),
        (
            with_steps({"map": {"from": "x", "fields": [{"to": "a", "from": "A", "value": None}]}}),
            "flows.main.steps[0].map.fields[0]",
            "'from' and 'value'",
        ),
        (with_steps({"map": {"from_": "x"}}), "flows.main.steps[0].map.from_", "from"),
        (minimal(flows={"main": {"trigger": {}, "steps": []}}), "flows.main.trigger", "exactly one"),
        (
            minimal(flows={"main": {"trigger": {"schedule": {"every": "1x"}}, "steps": []}}),
            "flows.main.trigger.schedule.every",
            "30s",
        ),
        (
            minimal(flows={"main": {"trigger": {"event": {"conection": "oa"}}, "steps": []}}),
            "flows.main.trigger.event.conection",
            "connection",
        ),
        (minimal(flows={}), "flows", "at least 1"),
        (minimal(id="Has Spaces"), "id", "lower-case"),
        (minimal(connections={"1x": "b1"}), "connections.1x", "beginning with a letter"),
        (minimal(enabled="perhaps"), "enabled", "true or false"),
        ({"id": "x"}, "format", "format"),
        (minimal(format=2), "format", "newer"),
        (minimal(format="1"), "format", "must be 1"),
        (minimal(format=True), "format", "must be 1"),
        (minimal(settings={"a": {1}}), "settings.a", "no JSON form"),
        (minimal(settings={"a": float("nan")}), "settings.a", "not a JSON number"),
        (minimal(settings={"a": "\ud800"}), "settings.a", "surrogate"),
    ],
)
def test_what_is_wrong_and_where(document: dict[str, Any], path: str, proposal: str) -> None:
    problems = find_problems(document)
    assert path in [problem.where for problem in problems], problems
    problem = next(problem for problem in problems if problem.where == path)
    assert proposal in problem.en
    assert problem.zh


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{\n  "format": 1,\n  oops\n}', "line 3, column 3"),
        (b'{"format": 1', "line 1, column 13"),
        (b"", "line 1, column 1"),
        (b"[1]", "JSON object"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": "\xff"}', "Byte 8 is not UTF-8"),
        (b'{"a": ' + b"[" * 200_000, "deep"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "number"),
    ],
)
def test_broken_json(data: bytes, text: str) -> None:
    with pytest.raises(BadMapping) as caught:
        parse_mapping(data, "x.json")
    assert text in caught.value.en
    assert caught.value.where == "x.json"


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadMapping, match="10,000,000"):
        parse_mapping(b"x" * 10_000_000, "x.json")
    assert LARGEST == 2_000_000


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert parse_mapping(b"\xef\xbb\xbf" + data_of(minimal())).id == "x"


def test_many_errors_are_counted_not_listed_without_end() -> None:
    with pytest.raises(BadMapping, match="and 15 more"):
        parse_mapping(minimal(**{f"unknown{number}": 1 for number in range(25)}))


def test_numbers_stay_as_they_were_written() -> None:
    text = b'{"format": 1, "id": "x", "settings": {"a": 1.50, "b": 0.1, "c": 12345678901234567890.123}, "flows": {"m": \
{"trigger": {"manual": {}}, "steps": []}}}'
    mapping = parse_mapping(text)
    assert mapping.settings["a"] == Decimal("1.50")
    assert b'"a": 1.50, "b": 0.1, "c": 12345678901234567890.123' in dump_mapping(mapping)


def test_a_null_value_is_written() -> None:
    document = with_steps({"map": {"from": "x", "fields": [{"to": "a", "value": None, "through": ["trim"]}]}})
    written = dump_mapping(parse_mapping(document))
    assert b'{"to": "a", "value": null, "through": ["trim"]}' in written
    assert parse_mapping(written) == parse_mapping(document)


def test_equal_mappings_are_equal_files() -> None:
    explicit = minimal(enabled=True, timezone="Asia/Shanghai", cases=[], template=None, settings={})
    assert dump_mapping(parse_mapping(explicit)) == dump_mapping(parse_mapping(minimal()))


plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
texts = st.text(min_size=1, max_size=20)
fields = st.one_of(
    st.fixed_dictionaries({"to": texts, "from": texts}, optional={"through": st.just(["trim", {"round": 2}])}),
    st.fixed_dictionaries({"to": texts, "value": plain_json}),
)
leaves = st.one_of(
    st.fixed_dictionaries(
        {"call": st.just("erp.query")}, optional={"id": names, "with": st.dictionaries(texts, plain_json, max_size=2)}
    ),
    st.fixed_dictionaries(
        {"map": st.fixed_dictionaries({"from": texts}, optional={"fields": st.lists(fields, max_size=3)})}
    ),
    st.fixed_dictionaries({"set": st.dictionaries(texts, plain_json, max_size=2)}),
    st.fixed_dictionaries({"stop": texts}),
    st.fixed_dictionaries({"respond": st.fixed_dictionaries({"status": st.just(200), "body": plain_json})}),
)
steps = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"each": texts, "steps": st.lists(inner, max_size=2)}, optional={"key": texts}),
        st.fixed_dictionaries({"if": texts, "then": st.lists(inner, max_size=2)}, optional={"else": st.lists(inner)}),
        st.fixed_dictionaries({"try": st.lists(inner, max_size=2), "catch": st.lists(inner, max_size=1)}),
        st.fixed_dictionaries(
            {"switch": texts, "cases": st.just([{"when": None, "steps": []}]), "default": st.lists(inner, max_size=1)}
        ),
    ),
    max_leaves=5,
)
documents = st.fixed_dictionaries(
    {
        "format": st.just(1),
        "id": names,
        "flows": st.dictionaries(
            names,
            st.fixed_dictionaries({"trigger": st.just({"manual": {}}), "steps": st.lists(steps, max_size=3)}),
            min_size=1,
            max_size=2,
        ),
    },
    optional={"title": st.text(), "settings": st.dictionaries(names, plain_json, max_size=3), "enabled": st.booleans()},
)


@given(documents)
def test_any_mapping_round_trips(document: dict[str, Any]) -> None:
    mapping = parse_mapping(document)
    written = dump_mapping(mapping)
    assert parse_mapping(written) == mapping
    assert dump_mapping(parse_mapping(written)) == written
    jsonschema.Draft202012Validator(mapping_schema()).validate(json.loads(written))


@given(plain_json)
def test_canonical_json_is_json(value: Any) -> None:
    assert json.loads(canonical_json(value), parse_float=Decimal) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_refused_in_our_words(data: bytes) -> None:
    refused: BadMapping | None = None
    try:
        assert isinstance(parse_json(data), dict)
    except BadMapping as error:
        refused = error
    assert refused is None or (refused.zh and refused.en)


@given(documents, st.data())
def test_any_damage_is_explained_with_a_path(document: dict[str, Any], data: st.DataObject) -> None:
    flow = data.draw(st.sampled_from(sorted(document["flows"])))
    damage = data.draw(st.sampled_from([None, 5, "text", [], {"steps": 1}, {"trigger": {"manual": {}}, "steps": [5]}]))
    document["flows"][flow] = damage
    problems = find_problems(document)
    assert problems
    assert all(problem.where.startswith(f"flows.{flow}") for problem in problems)


def test_schema_is_valid_and_accepts_the_design_example(document: dict[str, Any]) -> None:
    schema = mapping_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
    assert schema["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize(
    "document",
    [
        minimal(settngs={}),
        {"id": "x", "flows": {}},
        with_steps({"cal": "erp.query"}),
        with_steps({"map": {"from": "x", "fields": [{"to": "a", "from": "A", "value": 1}]}}),
        with_steps({"map": {"from": "x", "fields": [{"to": "a"}]}}),
        with_steps({"map": {"from": "x", "fields": [{"to": "a", "from": "A", "through": ["rond"]}]}}),
        with_steps({"map": {"from": "x", "fields": [{"to": "a", "from": "A", "through": [{"round": "2"}]}]}}),
        minimal(flows={"m": {"trigger": {"manual": {}, "http": {"path": "x"}}, "steps": []}}),
        minimal(flows={"m": {"trigger": {"schedule": {}}, "steps": []}}),
        minimal(format=2),
    ],
)
def test_schema_refuses_what_is_wrong(document: dict[str, Any]) -> None:
    assert not jsonschema.Draft202012Validator(mapping_schema()).is_valid(document)


def test_models_can_be_built_in_code() -> None:
    mapping = Mapping.model_validate({"id": "x", "flows": {"m": {"trigger": {"manual": {}}, "steps": ()}}})
    assert parse_mapping(dump_mapping(mapping)) == mapping
