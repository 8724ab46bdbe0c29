"""A form read from e-cology's own database, where neither its API nor a field list is at hand.

The statement runs through a ``sql`` connection with the workflow's id bound as ``:workflow``; its rows become the form
here. e-cology 9, tables ``workflow_base``, ``workflow_bill``, ``workflow_billfield`` and ``workflow_selectitem``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runtime.connectors.weaver.field_list import form_of_fields
from runtime.errors import FormGone
from runtime.mapping.forms import Form

__all__ = ["FORM_STATEMENT", "form_of_rows"]

#: One row per field, and per option of a selection. ``detailtable`` is empty for a field of the main table; the label
#: is the Chinese one (language 7). It says nothing of which fields are required: that is set per node.
FORM_STATEMENT: Final = """\
SELECT b.workflowname, f.fieldname, l.labelname, f.fieldhtmltype, f.type AS fieldtype, f.detailtable,
       s.selectvalue, s.selectname
FROM workflow_base b
JOIN workflow_bill w ON w.id = b.formid
JOIN workflow_billfield f ON f.billid = w.id
LEFT JOIN HtmlLabelInfo l ON l.indexid = f.fieldlabel AND l.languageid = 7
LEFT JOIN workflow_selectitem s ON s.fieldid = f.id AND s.isbill = 1
WHERE b.id = :workflow
ORDER BY COALESCE(f.detailtable, ''), f.dsporder, f.id, s.listorder"""


def form_of_rows(workflow: str, rows: Sequence[Mapping[str, Any]]) -> Form:
    """The form that the rows of :data:`FORM_STATEMENT` describe; names of columns may be in capitals.

    :raises FormGone: there are no rows: no such workflow, or its form has no fields
    :raises ValueRefused: a row lacks the field's name
    """
    if not rows:
        raise FormGone(
            "流程不存在，或没有表单字段", "The workflow does not exist, or its form has no fields", where=workflow
        )
    fields: dict[tuple[str, str], dict[str, Any]] = {}
    title = ""
    for row in ({key.lower(): value for key, value in row.items()} for row in rows):
        title = title or str(row.get("workflowname") or "")
        table, name = str(row.get("detailtable") or ""), str(row.get("fieldname") or "")
        field = fields.setdefault(
            (table, name),
            {
                "id": name,
                "label": row.get("labelname"),
                "html": row.get("fieldhtmltype"),
                "field_type": row.get("fieldtype"),
                "table": table,
                "options": [],
            },
        )
        if row.get("selectvalue") is not None:
            field["options"].append({"key": row["selectvalue"], "label": row.get("selectname")})
    places = [(f"{table or '主表'}.{name}", field) for (table, name), field in fields.items()]
    return form_of_fields(places, code=workflow, title=title)
