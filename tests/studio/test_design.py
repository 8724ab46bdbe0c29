"""A design keeps document and links together, and its draft brings both back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtime.connectors.catalog import SourceField
from runtime.mapping.forms import Control
from studio.designer.design import Design
from studio.designer.drafts import Drafts
from studio.designer.fields import notes, payload, source_groups, target_groups, usual_only
from studio.designer.links import Link, Place, link, set_value

TITLE = Place("", "标题")


def document() -> dict[str, Any]:
    spec = {"from": "{{ row }}", "to": {"connection": "oa", "form": "F"}, "fields": [{"to": "标题", "from": "Name"}]}
    step = {"each": "{{ rows }}", "as": "row", "steps": [{"id": "form", "map": spec}]}
    flow = {
        "trigger": {"manual": {}},
        "steps": [{"id": "rows", "call": "erp.query", "with": {"entity": "Items"}}, step],
    }
    return {"format": 1, "id": "items", "flows": {"submit": flow}}


def opened() -> Design:
    return Design(document=document(), digest="d1", saved=document())


def spec_of(design: Design) -> dict[str, Any]:
    spec: dict[str, Any] = design.document["flows"]["submit"]["steps"][1]["steps"][0]["map"]
    return spec


def browser(design: Design, seq: int, links: list[dict[str, Any]]) -> dict[str, Any]:
    return {"doc": design.desk.doc, "epoch": design.desk.epoch, "seq": seq, "links": links, "commands": []}


def test_what_the_browser_draws_is_in_the_document_at_once() -> None:
    design = opened()
    links = [{"target": ["", "标题"], "source": ["", "Name"]}, {"target": ["", "编号"], "source": ["", "ItemCode"]}]
    assert design.take(browser(design, 1, links))
    assert spec_of(design)["fields"] == [{"to": "标题", "from": "Name"}, {"to": "编号", "from": "ItemCode"}]
    assert design.dirty
    assert not design.take(browser(design, 1, []))
    assert not design.take({"epoch": 1})


def test_a_change_of_the_query_leaves_links_and_history_alone() -> None:
    design = opened()
    design.change(link(design.desk.board, Link(target=Place("", "编号"), source=Place("", "ItemCode"))))
    board, epoch = design.desk.board, design.desk.epoch
    design.set_query({"entity": "Drafts"})
    assert (design.desk.board, design.desk.epoch) == (board, epoch)
    assert design.document["flows"]["submit"]["steps"][0]["with"]["entity"] == "Drafts"


def test_links_that_came_with_another_document_begin_an_epoch() -> None:
    design = opened()
    epoch, other = design.desk.epoch, document()
    other["flows"]["submit"]["steps"][1]["steps"][0]["map"]["fields"] = []
    design.replace(other)
    assert design.desk.epoch != epoch
    assert design.desk.board.links == {}


def test_a_fetched_form_is_kept_as_the_steps_snapshot() -> None:
    design = opened()
    design.set_form("G", [Control(id="t1", label="标题", required=True)])
    assert spec_of(design)["to"] == {
        "connection": "oa",
        "form": "G",
        "controls": [{"id": "t1", "label": "标题", "required": True}],
    }
    assert [control.label for control in design.controls] == ["标题"]


def test_a_draft_brings_everything_back_and_goes_when_nothing_is_left(tmp_path: Path) -> None:
    drafts, design = Drafts(tmp_path / "drafts"), opened()
    drafts.keep(design)
    assert drafts.ids() == []
    design.take(browser(design, 4, [{"target": ["", "标题"], "source": ["", "ItemName"]}]))
    drafts.keep(design)
    again = drafts.restore("items", document())
    assert again is not None
    assert again.document == design.document
    assert (again.desk.doc, again.desk.seen, again.digest) == (design.desk.doc, 4, "d1")
    assert again.desk.epoch != design.desk.epoch
    design.replace(document())
    drafts.keep(design)
    assert drafts.ids() == []


def test_a_damaged_draft_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "items.json").write_text('{"digest": "d1", "docu')
    assert Drafts(tmp_path).restore("items", document()) is None
    assert Drafts(tmp_path).restore("nothing", None) is None


def test_the_component_gets_the_same_data_after_a_drag() -> None:
    design = opened()
    fields = [SourceField(name="Name", type="text"), SourceField(name="ItemCode", type="text", custom=True)]

    def data() -> dict[str, Any]:
        board = design.desk.board
        sources = source_groups("Items", fields, [], board, header_label="h")
        controls = [Control(id="t1", label="标题"), Control(id="t2", label="编号")]
        targets = target_groups(controls, board, header_label="f")
        return payload(
            design.desk, sources, targets, marks=notes(board, lambda item: str(item.value)), texts={}, height=600
        )

    before = data()
    links = [{"target": ["", "标题"], "source": ["", "Name"]}, {"target": ["", "编号"], "source": ["", "ItemCode"]}]
    assert design.take(browser(design, 1, links))
    assert data() == before
    design.change(set_value(design.desk.board, TITLE, "固定"))
    assert data() != before


def test_source_groups_show_labels_samples_and_what_has_vanished() -> None:
    design = opened()
    fields = [
        SourceField(name="ItemCode", type="text"),
        SourceField(name="Unused", type="text"),
        SourceField(name="Quantity", type="decimal", group="Lines"),
    ]
    rows = [{"ItemCode": None, "Lines": [{"Quantity": None}]}, {"ItemCode": "A" * 99, "Lines": [{"Quantity": 5}]}]
    found = source_groups("Items", fields, rows, design.desk.board, header_label="表头")
    assert "Unused" in [field.name for field in found[0].fields]
    header, lines = usual_only(found)
    assert [(field.name, field.label) for field in header.fields] == [("ItemCode", "物料编号"), ("Name", "")]
    assert header.fields[0].sample == "A" * 59 + "…"
    assert header.fields[1].missing
    assert [(field.name, field.sample) for field in lines.fields] == [("Quantity", "5")]


def test_without_a_catalog_rows_and_links_say_what_there_is() -> None:
    rows = [{"odata.etag": "x", "Code": 1, "Lines": [{"No": "7"}]}]
    header, lines = source_groups("Any", [], rows, opened().desk.board, header_label="表头")
    assert [(field.name, field.missing) for field in header.fields] == [("Code", False), ("Name", False)]
    assert [field.name for field in lines.fields] == ["No"]
