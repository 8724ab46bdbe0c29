"""What the drag component shows: source fields with labels and samples, target controls, and notes on the links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from runtime import jsontext
from runtime.connectors.catalog import SourceField
from runtime.mapping.dictionary import field_names, find_property
from runtime.mapping.forms import Control, ControlType
from studio.designer.desk import Desk, encode
from studio.designer.links import Board, Link, Place

__all__ = [
    "UNKNOWN_TYPE",
    "Field",
    "Group",
    "entity_targets",
    "flat",
    "named_controls",
    "notes",
    "payload",
    "shortened",
    "source_groups",
    "target_groups",
    "usual_only",
]

_SAMPLE: Final = 60
#: Type of a field that nobody has seen a value of.
UNKNOWN_TYPE: Final = "unknown"
#: How a form's own name for a format is shown; others speak for themselves.
_FORMATS: Final = {"day": "YYYY-MM-DD", "hour": "YYYY-MM-DD HH:mm", "halfday": "YYYY-MM-DD", "single": "", "multi": ""}
#: So many fields of a group are usual, even when no row has a value for them.
_USUAL: Final = 30
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One row of either side."""

    name: str
    label: str = ""
    #: The label that the system itself gives; ``label`` may come from the dictionary.
    own_label: str = ""
    type: str = "text"
    #: A source's value in the first row that has one.
    sample: str = ""
    #: A target's options, for the eye.
    hint: str = ""
    required: bool = False
    settable: bool = True
    #: A link names it, but the system does not know it (any more).
    missing: bool = False
    #: Worth showing before the hundreds of fields that nobody uses.
    usual: bool = True
    #: The table's column behind a statement's field, where there is exactly one.
    table: str = ""
    column: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The header (empty name), a detail collection or a table."""

    name: str
    label: str
    fields: tuple[Field, ...]


def source_groups(
    entity: str,
    fields: Iterable[SourceField],
    rows: Sequence[Row],
    board: Board,
    *,
    header_label: str,
) -> list[Group]:
    """Header and detail collections of an entity, with all their fields.

    :param fields: from the catalog; without it, what the rows and the links name is shown
    """
    linked = {item.source for item in board.links.values() if item.source is not None}
    groups: dict[str, dict[str, Field]] = {"": {}}
    for field in fields:
        place = Place(field.group, field.name)
        known = find_property(entity, *place)
        usual = field.custom or place in linked or (known is not None and known.rank < _USUAL)
        label = field.label or (known.names[0] if known else "")
        groups.setdefault(field.group, {})[field.name] = Field(
            name=field.name, label=label, own_label=field.label, type=field.type, usual=usual
        )
    catalogued = any(groups.values())
    _add_samples(entity, groups, rows)
    for place in sorted(linked):
        group = groups.setdefault(place.group, {})
        if place.name not in group:
            names = field_names(entity, *place)
            group[place.name] = Field(name=place.name, label=names[0] if names else "", missing=catalogued)
    return [
        Group(name=name, label=_group_label(entity, name) or header_label, fields=tuple(members.values()))
        for name, members in groups.items()
    ]


def usual_only(groups: Iterable[Group]) -> list[Group]:
    """The groups without the fields that have no value and no link, and that are seldom used."""
    shorter = (replace(group, fields=tuple(field for field in group.fields if field.usual)) for group in groups)
    return [group for group in shorter if group.fields or not group.name]


def _group_label(entity: str, name: str) -> str:
    return next(iter(field_names(entity, "", name)), name)


def _add_samples(entity: str, groups: dict[str, dict[str, Field]], rows: Sequence[Row]) -> None:
    known = any(groups.values())
    for row in rows if known else map(flat, rows):
        for name, value in row.items():
            if isinstance(value, list):
                for line in value:
                    if isinstance(line, Mapping):
                        _add_sample(entity, groups, Place(name, ""), line, known)
        _add_sample(entity, groups, Place("", ""), row, known)


def flat(row: Row, prefix: str = "") -> dict[str, Any]:
    """A row whose inner objects are paths: ``main.khbm``."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if "." in name:
            continue
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _add_sample(entity: str, groups: dict[str, dict[str, Field]], at: Place, row: Row, known: bool) -> None:
    group = groups.setdefault(at.group, {})
    for name, value in row.items():
        if isinstance(value, (list, Mapping)) or (known and "." in name):
            continue
        old = group.get(name)
        if old is None:
            if known and at.group in groups and not name.startswith("U_"):
                continue
            names = field_names(entity, at.group, name)
            old = Field(name=name, label=names[0] if names else "", type=_type_of(value))
        if not old.sample:
            text = _text(value)
            old = replace(old, sample=text, usual=old.usual or bool(text))
        group[name] = old


def target_groups(controls: Sequence[Control], board: Board, *, header_label: str) -> list[Group]:
    """The form's controls and its tables; without a snapshot, what the links name."""
    header: dict[str, Field] = {}
    tables: dict[str, dict[str, Field]] = {}
    for name, control in named_controls(controls):
        if control.type is ControlType.TABLE:
            tables[name] = {column: _target(column, child) for column, child in named_controls(control.children)}
        else:
            header[name] = _target(name, control)
    for target in board.links:
        group = tables.setdefault(target.group, {}) if target.group else header
        group.setdefault(target.name, Field(name=target.name, missing=bool(controls)))
    groups = [Group(name="", label=header_label, fields=tuple(header.values()))]
    return groups + [Group(name=name, label=name, fields=tuple(rows.values())) for name, rows in tables.items()]


def entity_targets(entity: str, fields: Iterable[SourceField], board: Board, *, header_label: str) -> list[Group]:
    """What can be filled of an entity: its header and its detail collections."""
    groups: dict[str, dict[str, Field]] = {"": {}}
    for field in fields:
        place = Place(field.group, field.name)
        known = find_property(entity, *place)
        groups.setdefault(field.group, {})[field.name] = Field(
            name=field.name,
            label=field.label or (known.names[0] if known else ""),
            type=field.type,
            hint=" / ".join(field.members),
            usual=field.custom or place in board.links or (known is not None and known.rank < _USUAL),
        )
    catalogued = any(groups.values())
    for target in board.links:
        groups.setdefault(target.group, {}).setdefault(target.name, Field(name=target.name, missing=catalogued))
    return [
        Group(name=name, label=_group_label(entity, name) or header_label, fields=tuple(members.values()))
        for name, members in groups.items()
    ]


def notes(board: Board, describe: Callable[[Link], str]) -> list[dict[str, Any]]:
    """A short text for each target whose link is more than a line."""
    return [
        {"target": encode(target), "text": describe(item)}
        for target, item in board.links.items()
        if item.source is None or item.through
    ]


def payload(
    desk: Desk,
    sources: Sequence[Group],
    targets: Sequence[Group],
    *,
    marks: Sequence[Mapping[str, Any]],
    texts: Mapping[str, str],
    height: int,
) -> dict[str, Any]:
    """The component's data: within an epoch it changes only when a person would see a difference."""
    return {
        "doc": desk.doc,
        "epoch": desk.epoch,
        "seen": desk.seen,
        "handled": desk.handled,
        "links": [{"target": encode(target), "source": encode(source)} for target, source in desk.base.items()],
        "sources": [_group(group, ("label", "type", "sample", "missing")) for group in sources],
        "targets": [_group(group, ("label", "type", "hint", "required", "settable", "missing")) for group in targets],
        "notes": list(marks),
        "texts": dict(texts),
        "height": height,
    }


def _group(group: Group, keys: Sequence[str]) -> dict[str, Any]:
    fields = [{"name": field.name, **{key: getattr(field, key) for key in keys}} for field in group.fields]
    return {"name": group.name, "label": group.label, "fields": fields}


def named_controls(controls: Sequence[Control]) -> list[tuple[str, Control]]:
    """Each control with the name that the studio uses: its label, or its id where labels repeat."""
    labels = [control.label for control in controls]
    return [(c.label if c.label and labels.count(c.label) == 1 else c.id, c) for c in controls]


def _target(name: str, control: Control) -> Field:
    hint = " / ".join(option.label for option in control.options) or control.unit
    hint = hint or _FORMATS.get(control.format, control.format)
    return Field(
        name=name,
        label=control.label,
        type=control.type.value,
        hint=hint,
        required=control.required,
        settable=control.type is not ControlType.NOTE,
    )


def _text(value: Any) -> str:
    if value is None or value == "":
        return ""
    return shortened(value if isinstance(value, str) else jsontext.dumps(value).decode())


def shortened(text: str) -> str:
    """A sample as long as there is room for."""
    return text if len(text) <= _SAMPLE else f"{text[: _SAMPLE - 1]}…"


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "text" if isinstance(value, str) or value is None else "decimal"
