"""Which control each target of a mapping names, by the snapshot of the form that was taken at design time."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from runtime.mapping.forms import Control, ControlType
from runtime.mapping.models import FieldLink, MapSpec
from runtime.mapping.problems import Problem

__all__ = ["control_of", "resolve_controls", "unmapped_controls"]


def resolve_controls(spec: MapSpec, where: str) -> tuple[dict[str, Control], list[Problem]]:
    """Target as written → control, and what is wrong with the targets.

    Without a snapshot a control is text named by its label, and a table holds such columns.
    """
    problems = list(_repeated(spec, where))
    known = spec.to.controls
    found: dict[str, Control] = {}
    for index, link in enumerate(spec.fields):
        place = f"{where}.fields[{index}]"
        control = _find(link.to, known, place, problems)
        if control is not None and control.type is ControlType.TABLE:
            problems.append(
                Problem(
                    "error",
                    place,
                    f"“{link.to}”是明细表，请放到 tables 里",
                    f"{link.to!r} is a table: map it under tables",
                )
            )
        elif control is not None:
            found[link.to] = control
    for index, table in enumerate(spec.tables):
        place = f"{where}.tables[{index}]"
        control = _find(table.to, known, place, problems, table=True)
        if control is None:
            continue
        if control.type is not ControlType.TABLE:
            problems.append(Problem("error", place, f"“{table.to}”不是明细表", f"{table.to!r} is not a table"))
            continue
        columns = [
            _find(link.to, control.children if known is not None else None, f"{place}.fields[{number}]", problems)
            for number, link in enumerate(table.fields)
        ]
        if known is None:
            control = control.model_copy(update={"children": tuple(filter(None, columns))})
        found[table.to] = control
    return found, problems


def unmapped_controls(spec: MapSpec, where: str) -> list[Problem]:
    """Required controls of the snapshot that nothing fills."""
    problems = []
    for control in spec.to.controls or ():
        if not control.required:
            continue
        if not any(
            _names(control, target) for target in (*_targets(spec.fields), *(table.to for table in spec.tables))
        ):
            problems.append(_not_filled(control.label, where))
    for index, table in enumerate(spec.tables):
        owner = next((control for control in spec.to.controls or () if _names(control, table.to)), None)
        for column in owner.children if owner else ():
            if column.required and not any(_names(column, target) for target in _targets(table.fields)):
                problems.append(_not_filled(f"{table.to}.{column.label}", f"{where}.tables[{index}]"))
    return problems


def _targets(links: Sequence[FieldLink]) -> list[str]:
    return [link.to for link in links]


def _names(control: Control, target: str) -> bool:
    return target in (control.id, control.label)


def _not_filled(label: str, where: str) -> Problem:
    return Problem("error", where, f"必填控件“{label}”没有映射", f"The required control {label!r} is not mapped")


def _find(
    target: str, controls: Sequence[Control] | None, where: str, problems: list[Problem], *, table: bool = False
) -> Control | None:
    if controls is None:
        return Control(id=target, label=target, type=ControlType.TABLE if table else ControlType.TEXT)
    by_id = [control for control in controls if control.id == target]
    found = by_id or [control for control in controls if control.label == target]
    if len(found) == 1:
        if found[0].type is not ControlType.NOTE:
            return found[0]
        problems.append(
            Problem("error", where, f"“{target}”是说明控件，不能填值", f"{target!r} is a note: it cannot be filled")
        )
    elif found:
        problems.append(
            Problem(
                "error",
                where,
                f"表单里有 {len(found)} 个叫“{target}”的控件，请改用控件的 id",
                f"The form has {len(found)} controls labelled {target!r}: use the control's id",
            )
        )
    else:
        near = difflib.get_close_matches(target, [control.label for control in controls], 1, 0.5)
        hint_zh, hint_en = (f"；是否想写“{near[0]}”？", f"; did you mean {near[0]!r}?") if near else ("", "")
        problems.append(
            Problem(
                "error", where, f"表单里没有控件“{target}”{hint_zh}", f"The form has no control {target!r}{hint_en}"
            )
        )
    return None


def _repeated(spec: MapSpec, where: str) -> Iterator[Problem]:
    places: list[tuple[str, Sequence[str]]] = [(where, [*_targets(spec.fields), *(table.to for table in spec.tables)])]
    places += [(f"{where}.tables[{index}]", _targets(table.fields)) for index, table in enumerate(spec.tables)]
    for place, targets in places:
        for target in {name: None for name in targets if targets.count(name) > 1}:
            yield Problem("error", place, f"“{target}”被映射了两次", f"{target!r} is mapped twice")


def control_of(controls: Mapping[str, Control], table: str, to: str) -> Control | None:
    """The control of a target, or of a column of a table."""
    owner = controls.get(table or to)
    if not table or owner is None:
        return owner
    return next((child for child in owner.children if _names(child, to)), None)
