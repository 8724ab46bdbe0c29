"""The dictionary knows the customer's field lists."""

from __future__ import annotations

import pytest

from runtime.mapping.dictionary import field_names


@pytest.mark.parametrize(
    ("entity", "group", "name", "label"),
    [
        ("Drafts", "", "RequesterName", "请购人员"),
        ("PurchaseRequests", "", "DocDueDate", "有效期"),
        ("Drafts", "DocumentLines", "ItemCode", "品号"),
        ("Drafts", "DocumentLines", "FreeText", "请购原因"),
        ("Items", "", "ItemCode", "物料编号"),
        ("ProductionOrders", "ProductionOrderLines", "ItemNo", "组件编号"),
        ("Drafts", "", "DocumentLines", "单据行"),
    ],
)
def test_the_usual_name_comes_first(entity: str, group: str, name: str, label: str) -> None:
    assert field_names(entity, group, name)[0] == label


def test_an_unknown_field_has_no_name() -> None:
    assert field_names("Drafts", "", "U_Nobody") == ()
