"""A filled form as the approver will see it, as HTML without scripts; every text from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from runtime.mapping.forms import Control, ControlType
from studio.designer.control_text import control_label, control_text
from studio.designer.document import Json, MapSite, form_code, value_at
from studio.designer.inbound import target_entity

__all__ = ["form_html", "form_title", "in_form_order"]

_STYLE: Final = """
<style>
.b1-form { max-width: 640px; border: 1px solid rgba(128,128,128,.28); border-radius: 12px; overflow: hidden;
  font-size: 14px; }
.b1-form header { padding: 12px 18px; font-weight: 600; background: rgba(31,111,235,.08); }
.b1-form dl { margin: 0; padding: 6px 18px; display: grid; grid-template-columns: minmax(90px, 30%) 1fr; }
.b1-form dt, .b1-form dd { margin: 0; padding: 7px 0; border-bottom: 1px solid rgba(128,128,128,.14);
  overflow-wrap: anywhere; }
.b1-form dt { color: rgba(128,128,128,1); }
.b1-form dd { white-space: pre-wrap; }
.b1-form .bad { color: #c2410c; }
.b1-form .star { color: #d1242f; }
.b1-form h4 { margin: 0; padding: 10px 18px 4px; font-size: 13px; }
.b1-form .scroll { overflow-x: auto; padding: 0 18px 14px; }
.b1-form table { border-collapse: collapse; width: 100%; font-size: 13px; }
.b1-form th, .b1-form td { border: 1px solid rgba(128,128,128,.22); padding: 5px 8px; text-align: left; }
.b1-form th { background: rgba(128,128,128,.08); font-weight: 500; white-space: nowrap; }
</style>
"""


def in_form_order(names: Iterable[str], controls: Sequence[Control]) -> list[str]:
    """Controls as the form shows them, in whatever order they were mapped; what it does not know comes last."""
    places = {name: at for at, control in enumerate(controls) for name in (control.id, control.label)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def form_title(document: Json, site: MapSite) -> str:
    """What the form that a step fills is called; its code where the snapshot does not say, or the entity."""
    title = value_at(document, site.path)["map"].get("to", {}).get("title")
    return str(title or form_code(document, site) or target_entity(document, site))


def form_html(
    title: str, form: Mapping[str, Any], controls: Mapping[str, Control], wrong: Sequence[str], empty: str
) -> str:
    """The form with its values.

    :param form: control as the mapping names it → value; a table's value is a list of rows
    :param controls: the same names → controls, where a snapshot knows them
    :param wrong: names of controls with a failure; they are marked
    :param empty: text for a value that is not there
    """
    header, tables = [], []
    for name, value in form.items():
        control = controls.get(name)
        if isinstance(value, list) and (control is None or control.type is ControlType.TABLE):
            tables.append(_table(name, value, control))
        else:
            header.append(_line(name, value, control, name in wrong, empty))
    body = f"<dl>{''.join(header)}</dl>" if header else ""
    return f'{_STYLE}<article class="b1-form"><header>{escape(title)}</header>{body}{"".join(tables)}</article>'


def _line(name: str, value: Any, control: Control | None, bad: bool, empty: str) -> str:
    star = '<span class="star">*</span>' if control is not None and control.required else ""
    label = escape(control_label(control, name))
    shown = escape(control_text(value, control)) or f"<i>{escape(empty)}</i>"
    return f"<dt>{label}{star}</dt><dd{' class=bad' if bad else ''}>{shown}</dd>"


def _table(name: str, rows: Sequence[Any], control: Control | None) -> str:
    cells = dict.fromkeys(key for row in rows if isinstance(row, Mapping) for key in row)
    columns = in_form_order(cells, control.children if control else ())
    children = {key: child for child in (control.children if control else ()) for key in (child.id, child.label)}
    head = "".join(f"<th>{escape(control_label(children.get(key), key))}</th>" for key in columns)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(control_text(row.get(key), children.get(key)))}</td>' for key in columns)}</tr>"
        for row in rows
        if isinstance(row, Mapping)
    )
    label = control_label(control, name)
    table = f'<div class="scroll"><table><tr>{head}</tr>{lines}</table></div>'
    return f"<h4>{escape(label)}（{len(rows)}）</h4>{table}"
