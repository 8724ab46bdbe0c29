"""What is proposed for drafts is what is proposed for the documents they will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from runtime.mapping.automap import Source, as_document, propose
from runtime.mapping.dictionary import known_fields
from tests.benchmarks.labelled import Form, entity_sources, forms

KINDS = [("1470000113", "oPurchaseRequest", "PurchaseRequests"), ("22", "oPurchaseOrders", "PurchaseOrders")]


def some(entity: str) -> list[Form]:
    """Forms of an entity set whose misses may be seen."""
    return [form for form in forms() if form.entity == entity and form.part != "sealed"]


def said(sources: Sequence[Source], form: Form) -> dict[tuple[str, str], tuple[str, str, float]]:
    found = propose(sources, form.answers)
    return {
        (item.target.group, item.target.label): (item.source.group, item.source.name, item.confidence) for item in found
    }


@pytest.mark.parametrize(("code", "member", "entity"), KINDS)
def test_drafts_of_the_service_layer(code: str, member: str, entity: str) -> None:
    fields = entity_sources(entity)
    drafts = [replace(source, entity="Drafts") for source in fields]
    better = 0
    for form in some(entity):
        for kind in (code, member):
            selection = f"DocObjectCode eq '{kind}' and (U_ISSYN eq 'N' or U_ISSYN eq null)"
            assert said([as_document(draft, selection) for draft in drafts], form) == said(fields, form)
        better += said(drafts, form) != said(fields, form)
    assert better > 5


@pytest.mark.parametrize(("code", "_member", "entity"), KINDS)
def test_drafts_of_a_statement(code: str, _member: str, entity: str) -> None:
    selection = f'SELECT T0."DocEntry" FROM ODRF T0 WHERE T0."ObjType" = N\'{code}\''
    entries = [entry for group in ("", "DocumentLines") for entry in known_fields(entity, group) if entry.column]
    drafts = [
        Source(name=e.column, group=e.group, type=e.type, table="DRF1" if e.group else "ODRF", column=e.column)
        for e in entries
    ]
    tables = {"PurchaseRequests": ("OPRQ", "PRQ1"), "PurchaseOrders": ("OPOR", "POR1")}[entity]
    documents = [replace(draft, table=tables[draft.group != ""]) for draft in drafts]
    for form in some(entity):
        assert said([as_document(draft, selection) for draft in drafts], form) == said(documents, form)


@pytest.mark.parametrize(
    "selection",
    [
        "",
        "U_ISSYN eq 'N'",
        "DocObjectCode eq '22' or DocObjectCode eq '1470000113'",
        "ObjType IN ('22', '59')",
        "ObjType <> '22'",
        "DocObjectCode eq {{ kind }}",
        "U_DocObjectCode eq '22'",
    ],
)
def test_drafts_of_nobody_knows_what_stay_drafts(selection: str) -> None:
    field = Source(name="CardName", entity="Drafts")
    assert as_document(field, selection) == field


def test_what_is_no_draft_stays_what_it_is() -> None:
    for field in (Source(name="ItemName", entity="Items"), Source(name="ItemName", table="OITM", column="ItemName")):
        assert as_document(field, "ObjType = '22'") == field
