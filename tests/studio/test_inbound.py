"""Flows that other systems call: rows out of a sample, and the entity that is filled."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.connectors.catalog import SourceField
from runtime.errors import IntegrationError
from runtime.mapping.check import check_mapping
from runtime.mapping.document import parse_mapping
from runtime.mapping.templates import gallery, instantiate
from runtime.sandbox import demo
from studio.designer.document import Json, actions_called, map_sites, row_scope, value_at, with_case
from studio.designer.fields import entity_targets, flat
from studio.designer.inbound import (
    is_called,
    request_of,
    sample_of,
    sample_rows,
    target_entity,
    with_sample,
    with_target_entity,
)
from studio.designer.links import Board, Link, Place


def inbound(**settings: Any) -> Json:
    template = next(item for item in gallery() if item.id == "weaver-inbound-document")
    made = instantiate(template, id="orders", title="订单", connections={"erp": demo.B1_CONNECTION}, settings=settings)
    return made.model_dump(by_alias=True, exclude_none=True, mode="json")


def places_of_problems(document: Json) -> set[str]:
    return {problem.where.split("trigger.")[-1] for problem in check_mapping(parse_mapping(document))}


BODY = {"requestid": 7, "main": {"kh": "C1", "more": {"bz": "急"}}, "mx": [{"wl": "A"}]}


def test_the_sample_gives_the_rows_that_a_call_would_give() -> None:
    whole = inbound()
    [site] = map_sites(whole)
    assert is_called(whole, site)
    assert (sample_of(whole, site.flow), request_of(whole, site.flow), sample_rows(whole, site)) == (None, None, [])
    whole = with_sample(whole, site.flow, BODY)
    assert sample_rows(whole, site) == [BODY]
    request = request_of(whole, site.flow)
    assert request is not None
    assert (request["method"], request["body"]) == ("POST", BODY)
    assert row_scope(site, BODY) == {"request": {"body": BODY}}
    assert sample_rows(with_sample(whole, site.flow, [1]), site) == []


def test_rows_of_an_each_come_out_of_the_sample_too() -> None:
    whole = with_sample(inbound(), "receive", {"requestid": 7, "rows": [{"a": 1}, {"a": 2}]})
    [site] = map_sites(whole)
    step = value_at(whole, site.path)
    step["map"]["from"] = "{{ row }}"
    whole["flows"]["receive"]["steps"] = [{"each": "{{ request.body.rows }}", "as": "row", "steps": [step]}]
    [site] = map_sites(whole)
    assert is_called(whole, site)
    assert sample_rows(whole, site) == [{"a": 1}, {"a": 2}]


def test_a_sample_may_name_settings_and_says_so_when_they_do_not_exist() -> None:
    whole = inbound(in_request="lcid")
    [site] = map_sites(whole)
    whole = with_sample(whole, site.flow, {"{{ settings.in_request }}": 7})
    assert sample_of(whole, site.flow) == {"lcid": 7}
    assert "http.sample" not in places_of_problems(whole)
    wrong = with_sample(whole, site.flow, {"{{ settings.nowhere }}": 7})
    with pytest.raises(IntegrationError):
        sample_of(wrong, site.flow)
    assert sample_rows(wrong, site) == []
    assert "http.sample" in places_of_problems(wrong)


def test_a_row_of_the_sample_can_be_kept_as_a_case() -> None:
    whole = inbound()
    [site] = map_sites(whole)
    value_at(whole, site.path)["map"]["fields"] = [{"to": "CardCode", "from": "main.kh"}]
    kept = with_case(whole, site, name="one", row=BODY, form={"CardCode": "C1"})
    assert not list(check_mapping(parse_mapping(kept)))
    other = with_case(whole, site, name="one", row=BODY, form={"CardCode": "C2"})
    assert [problem.level for problem in check_mapping(parse_mapping(other))] == ["error"]


def test_what_a_flow_calls_is_found_in_every_branch() -> None:
    assert actions_called(inbound(), "receive") == {"find", "create"}


def test_inner_objects_are_paths() -> None:
    assert flat(BODY) == {"requestid": 7, "main.kh": "C1", "main.more.bz": "急", "mx": [{"wl": "A"}]}


def test_the_entity_that_is_filled_is_a_setting_or_the_steps_own() -> None:
    whole = inbound()
    [site] = map_sites(whole)
    assert target_entity(whole, site) == "Orders"
    assert with_target_entity(whole, site, "Items")["settings"]["object"] == "Items"
    value_at(whole, site.path)["map"]["to"]["entity"] = "Orders"
    changed = with_target_entity(whole, site, "Items")
    assert (target_entity(changed, site), changed["settings"]["object"]) == ("Items", "Orders")


def test_what_an_entity_has_can_be_filled_and_what_it_lacks_is_marked() -> None:
    board = Board(
        links={Place("", "Gone"): Link(target=Place("", "Gone"), value="x")},
    )
    fields = [
        SourceField(name="CardCode", type="text"),
        SourceField(name="CardType", type="enum", members=("cCustomer", "cSupplier")),
        SourceField(name="ItemCode", type="text", group="DocumentLines"),
        SourceField(name="U_Own", type="text", custom=True, label="自己的"),
    ]
    header, lines = entity_targets("Orders", fields, board, header_label="表头")
    assert {field.name: (field.label, field.missing) for field in header.fields} == {
        "CardCode": ("客户代码", False),
        "CardType": ("", False),
        "U_Own": ("自己的", False),
        "Gone": ("", True),
    }
    assert header.fields[1].hint == "cCustomer / cSupplier"
    assert (lines.name, [field.name for field in lines.fields]) == ("DocumentLines", ["ItemCode"])
