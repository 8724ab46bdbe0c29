"""Does a document still hold what was written back into it, in whatever form and from wherever it is shown?"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from runtime.engine.context import Skipped
from runtime.engine.written import WriteBack
from runtime.store.columns import utc_now
from runtime.store.ledger import Delivery, DeliveryState, EffectRecord, EffectState


def earlier(*updates: dict[str, Any]) -> Delivery:
    now = utc_now()

    def effect(number: int, kind: str, **values: Any) -> EffectRecord:
        moment: datetime = now + timedelta(seconds=number)
        plain = {"connection": "b1", "action": kind, "digest": "", "started_at": moment, "state": EffectState.DONE}
        return EffectRecord(step=f"s{number}", effect=kind, **{**plain, **values})

    effects = [effect(0, "create", connection="oa")]
    effects += [
        effect(number, "update", connection=one.pop("connection", "b1"), request=one)
        for number, one in enumerate(updates, 1)
    ]
    return Delivery(
        id=1, mapping="m", flow="f", source="b1/Drafts", document_key="5", generation=1, document=5,
        state=DeliveryState.COMPLETE, connection="oa", instance_id="i1", outcome="", outcome_at=None, error=None,
        note="", opened_at=now, updated_at=now, completed_at=now, effects={one.step: one for one in effects},
    )  # fmt: skip


def refused(delivery: Delivery, row: dict[str, Any]) -> bool:
    try:
        WriteBack(delivery, "").refuse_repetition(row)
    except Skipped as reason:
        return reason.warning
    return False


@pytest.mark.parametrize(
    ("wrote", "holds", "same"),
    [
        ("Y", "Y", True),
        ("Y", "N", False),
        ("Y", "tYES", True),
        ("Y", None, False),
        (None, "", True),
        ("2026-01-31", "2026-01-31T00:00:00Z", True),
        ("2026-01-31", "20260131", True),
        ("2026-01-31", "20260130", False),
        ("2026-01-31", "2026-02-01", False),
        (12, "12", True),
        ("12.50", 12.5, True),
        ("12.50", 12.4, False),
        (True, "tYES", True),
        (" a  b\n", "a b", True),
        ("", "P", False),
    ],
)
def test_a_field_holds_what_was_written_in_whatever_form_it_comes_back(wrote: Any, holds: Any, same: bool) -> None:
    delivery = earlier({"entity": "Drafts", "key": 5, "values": {"U_Mark": wrote}})
    assert refused(delivery, {"DocEntry": 5, "U_Mark": holds}) is same


def test_only_the_write_back_into_the_document_itself_counts() -> None:
    delivery = earlier(
        {"entity": "Drafts", "key": 5, "values": {"U_Mark": "P"}},
        {"entity": "Drafts", "key": 5, "values": {"U_Mark": "Y"}},
        {"entity": "U_LOG", "key": "77", "values": {"U_Mark": "logged"}},
        {"connection": "mes", "key": 5, "values": {"U_Mark": "sent"}},
    )
    assert refused(delivery, {"U_Mark": "Y"})
    assert not refused(delivery, {"U_Mark": "N"})


def test_a_source_of_one_connection_may_be_marked_through_another() -> None:
    delivery = earlier({"connection": "sl", "entity": "Drafts", "key": "5", "values": {"U_Mark": "Y"}})
    assert refused(delivery, {"U_Mark": "Y"})
    assert not refused(delivery, {"U_Mark": "N"})


def test_where_the_same_key_was_written_in_several_places_each_may_be_the_document() -> None:
    delivery = earlier(
        {"connection": "sl", "entity": "Drafts", "key": "5", "values": {"U_Mark": "Y"}},
        {"connection": "mes", "entity": "orders", "key": "5", "values": {"U_Mark": "sent"}},
    )
    delivery = replace(delivery, source="db/ODRF")
    assert refused(delivery, {"U_Mark": "Y"})
    assert refused(delivery, {"U_Mark": "sent"})
    assert not refused(delivery, {"U_Mark": "N"})


@pytest.mark.parametrize(
    ("row", "stands", "outdated"),
    [
        ({"U_Mark": "N"}, {"U_Mark": "Y", "U_State": "sent"}, True),
        ({"U_Mark": "N"}, {"U_Mark": "Y", "U_State": "agreed"}, True),
        ({}, {"U_Mark": "Y", "U_State": "agreed"}, True),
        ({"U_Mark": "N"}, None, True),
        ({"U_Mark": "N"}, {"U_Mark": "N", "U_State": "sent"}, False),
        ({}, {"U_Mark": "N", "U_State": "agreed"}, False),
        # A query that compares another field shows it again, and says the same as the record.
        ({"U_Mark": "Y"}, {"U_Mark": "Y", "U_State": "sent"}, False),
        # A flow released it: the row is no older than that.
        ({"U_Mark": "released"}, {"U_Mark": "released", "U_State": "agreed"}, False),
        ({"U_Mark": "N"}, {"U_Mark": "released", "U_State": "agreed"}, True),
    ],
)
def test_a_row_from_elsewhere_is_believed_only_if_the_record_itself_does_not_contradict_it(
    row, stands, outdated
) -> None:
    delivery = replace(
        earlier({"connection": "sl", "entity": "Drafts", "key": "5", "values": {"U_Mark": "Y", "U_State": "sent"}}),
        source="db/ODRF",
    )
    [effect] = WriteBack(delivery, "").elsewhere
    verdict = replace(effect, request={"values": {"U_State": "agreed", "U_Mark": "released"}})

    def refused(*found: Any) -> bool:
        try:
            WriteBack(delivery, "").refuse_outdated(row, found, [verdict])
        except Skipped as reason:
            return reason.warning
        return False

    assert refused((effect, stands)) is outdated
    assert refused((effect, stands), (effect, {"U_Mark": "N"})) is False
    assert refused() is False


def test_rows_of_the_very_record_that_was_written_into_are_not_read_twice() -> None:
    delivery = earlier({"entity": "Drafts", "key": "5", "values": {"U_Mark": "Y"}})
    assert WriteBack(delivery, "").elsewhere == []
    assert len(WriteBack(replace(delivery, source="b1/ODRF"), "").elsewhere) == 1
