"""Documents of B1 in a WeCom form that a customer has drawn: the form, and the statements that read them."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["CONTROLS", "DRAFTS_BY_SQL", "LINES_OF_REQUESTS", "REQUESTS_BY_SQL"]

#: Of every kind of document but the purchase request, which has the demo's own form.
CONTROLS: Final[list[dict[str, Any]]] = [
    {"label": "申请人"},
    {"label": "单号", "required": True},
    {"label": "单据日期", "control": "Date"},
    {"label": "备注", "control": "Textarea"},
    {
        "label": "物料",
        "control": "Table",
        "children": [{"label": "物料编号", "required": True}, {"label": "数量", "control": "Number"}],
    },
]

_WAITING: Final = (
    'SELECT T0."DocEntry", T0."ReqName", T0."DocDate", T0."Comments", T0."U_UserID", T0."U_ISSYN" FROM {} T0 '
    "WHERE IFNULL(T0.\"U_ISSYN\",'N') = 'N'"
)
#: Purchase requests that wait to be sent, as drafts and as documents; further conditions may follow.
DRAFTS_BY_SQL: Final = f"{_WAITING.format('ODRF')} AND T0.\"ObjType\" = '1470000113'"
REQUESTS_BY_SQL: Final = _WAITING.format("OPRQ")
LINES_OF_REQUESTS: Final = 'SELECT T1."DocEntry", T1."LineNum", T1."ItemCode", T1."Quantity" FROM PRQ1 T1'
