"""The mapping document, seen from the designer: where its ``map`` steps, queries and forms are, and how to edit them.

Everything works on the plain JSON value of the document. An edit returns a new document in which only the edited part
differs; whatever else the file holds stays as it was, including what this version of the studio does not show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.mapping.forms import Control
from studio.designer.links import Board, Link, Place, aggregate_of

__all__ = [
    "Json",
    "MapSite",
    "QuerySite",
    "actions_called",
    "controls_of",
    "form_code",
    "map_sites",
    "query_of",
    "read_board",
    "resolve",
    "resolved",
    "row_name",
    "row_scope",
    "setting_behind",
    "setting_named",
    "value_at",
    "with_board",
    "with_case",
    "with_controls",
    "with_form_code",
    "with_param",
    "with_query",
    "with_setting",
    "with_value",
]

Json = dict[str, Any]
Path = tuple[str | int, ...]

_WHOLE: Final = re.compile(r"^\{\{\s*(?P<inner>.*?)\s*\}\}$", re.DOTALL)
_SETTING: Final = re.compile(r"^\{\{\s*settings\.(?P<name>[A-Za-z_]\w*)\s*\}\}$")
_IDENTIFIER: Final = re.compile(r"^[A-Za-z_]\w*$")
_VARIABLE: Final = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
_QUERY: Final = re.compile(r"^(?P<role>[A-Za-z_]\w*)\.query$")
#: Keys under which a step keeps steps of its own.
_NESTED: Final = ("steps", "then", "else", "default", "try", "catch")


@dataclass(frozen=True, kw_only=True)
class MapSite:
    """One ``map`` step: where it is, and the name its rows go by."""

    flow: str
    path: Path
    #: The step's id, or an empty text.
    id: str
    #: Variable that ``from`` names, or a part of one (``request.body``); empty when ``from`` is a longer expression.
    variable: str
    #: Role of the connection that the form belongs to, or an empty text.
    role: str


@dataclass(frozen=True, kw_only=True)
class QuerySite:
    """The ``query`` call whose rows a ``map`` step maps."""

    path: Path
    role: str


def value_at(document: Any, path: Sequence[str | int]) -> Any:
    """The part of a document at a path."""
    for key in path:
        document = document[key]
    return document


def with_value(document: Any, path: Sequence[str | int], value: Any) -> Any:
    """A document in which the part at a path is another value; the rest is shared with the old one."""
    if not path:
        return value
    key: Any = path[0]
    rest = path[1:]
    copy: Any = list(document) if isinstance(document, list) else dict(document)
    inner = copy[key] if isinstance(copy, list) else copy.get(key, {})
    copy[key] = with_value(inner, rest, value)
    return copy


def map_sites(document: Json) -> list[MapSite]:
    """All ``map`` steps, in reading order."""
    sites = []
    for flow, body in document.get("flows", {}).items():
        for path, step in _walk(body.get("steps", []), ("flows", flow, "steps")):
            if "map" in step:
                spec = step["map"]
                name = _inner(spec.get("from", ""))
                sites.append(
                    MapSite(
                        flow=flow,
                        path=path,
                        id=step.get("id", ""),
                        variable=name if _VARIABLE.match(name) else "",
                        role=spec.get("to", {}).get("connection") or "",
                    )
                )
    return sites


def query_of(document: Json, site: MapSite) -> QuerySite | None:
    """The query behind a ``map`` step: that of the ``each`` around it, or of the variable itself."""
    name = row_name(document, site)
    for path, step in _walk(document["flows"][site.flow]["steps"], ("flows", site.flow, "steps")):
        call = _QUERY.match(step.get("call", ""))
        if call and step.get("id") == name:
            return QuerySite(path=path, role=call["role"])
    return None


def actions_called(document: Json, flow: str) -> set[str]:
    """Names of the actions that a flow's steps call, whatever connection they belong to."""
    steps = document["flows"][flow].get("steps", [])
    return {str(step["call"]).rpartition(".")[2] for _, step in _walk(steps, ()) if "call" in step}


def row_name(document: Json, site: MapSite) -> str:
    """What the rows of a ``map`` step come from: its variable, or what the ``each`` around it goes through."""
    name = site.variable
    for depth in range(len(site.path), 0, -1):
        step = value_at(document, site.path[:depth])
        if isinstance(step, dict) and "each" in step and step.get("as", "item") == name:
            name = _inner(step["each"])
    return name


def row_scope(site: MapSite, row: Mapping[str, Any]) -> Json:
    """The variables that a row is known by: ``request.body`` is one within another."""
    scope: Any = row
    for part in reversed(site.variable.split(".")):
        scope = {part: scope}
    return dict(scope)


def with_query(document: Json, query: QuerySite, changes: Mapping[str, Any]) -> Json:
    """Change parameters of a query; one that only names a setting changes that setting. ``None`` removes it."""
    for name, value in changes.items():
        document = with_param(document, query, (name,), value)
    return document


def with_param(document: Json, query: QuerySite, path: Sequence[str | int], value: Any) -> Json:
    """Change what stands at a place within a query's parameters, e.g. ``("lines", 0, "statement")``."""
    home = _home(document, (*query.path, "with", *path))
    if value is None and (home[0] != "settings" or len(home) > 2):
        holder = value_at(document, home[:-1])
        return _json(with_value(document, home[:-1], {key: item for key, item in holder.items() if key != home[-1]}))
    return _json(with_value(document, home, value))


def setting_behind(document: Json, query: QuerySite, path: Sequence[str | int]) -> str:
    """The setting that holds what stands at a place within a query's parameters; empty if they hold it themselves."""
    home = _home(document, (*query.path, "with", *path))
    return str(home[1]) if home[0] == "settings" else ""


def _home(document: Json, path: Sequence[str | int]) -> Path:
    """Where a value is kept: along the path, what only names a setting leads to that setting."""
    home: Path = ()
    for key in path:
        home = (*home, key)
        try:
            found = value_at(document, home)
        except (KeyError, IndexError, TypeError):
            continue
        setting = setting_named(found)
        if setting:
            home = ("settings", setting)
    return home


def resolved(document: Json, value: Any) -> Any:
    """A JSON value in which whatever only names a setting is that setting's value."""
    if isinstance(value, dict):
        return {key: resolved(document, item) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(document, item) for item in value]
    found = resolve(document, value)
    return found if found is value else resolved(document, found) if isinstance(found, (dict, list)) else found


def setting_named(value: Any) -> str:
    """The setting that a text names and nothing besides; else an empty text."""
    found = _SETTING.match(value) if isinstance(value, str) else None
    return found["name"] if found else ""


def resolve(document: Json, value: Any) -> Any:
    """A parameter that only names a setting, as that setting's value; anything else as it is."""
    setting = setting_named(value)
    return document.get("settings", {}).get(setting) if setting else value


def form_code(document: Json, site: MapSite) -> str:
    """The code of the form that a ``map`` step fills, or an empty text."""
    return str(resolve(document, value_at(document, site.path)["map"].get("to", {}).get("form")) or "")


def with_form_code(document: Json, site: MapSite, code: str) -> Json:
    """Fill another form: changes the setting that holds its code, or the step itself."""
    path = (*site.path, "map", "to")
    setting = setting_named(value_at(document, site.path)["map"].get("to", {}).get("form"))
    if setting:
        return with_setting(document, setting, code)
    return _json(with_value(document, (*path, "form"), code))


def with_setting(document: Json, name: str, value: Any) -> Json:
    """Change a setting. Where it names a form, the snapshot of the one before goes: its controls are not this one's."""
    changed = _json(with_value(document, ("settings", name), value))
    for site in map_sites(changed):
        if form_code(changed, site) != form_code(document, site):
            changed = with_controls(changed, site, ())
    return changed


def controls_of(document: Json, site: MapSite) -> tuple[Control, ...]:
    """The step's snapshot of the form; empty when it has none."""
    raw = value_at(document, site.path)["map"].get("to", {}).get("controls") or ()
    return tuple(Control.model_validate(item) for item in raw)


def with_controls(document: Json, site: MapSite, controls: Sequence[Control], title: str = "") -> Json:
    """Keep a new snapshot of the form in the step; without controls there is none."""
    path = (*site.path, "map", "to")
    to = {name: part for name, part in value_at(document, path).items() if name not in ("title", "controls")}
    if controls:
        to |= {"title": title} if title else {}
        to["controls"] = [control.model_dump(mode="json", exclude_defaults=True) for control in controls]
    return _json(with_value(document, path, to))


def read_board(document: Json, site: MapSite) -> Board:
    """The step's links; targets go by their control's label, wherever the file names them by id."""
    spec = value_at(document, site.path)["map"]
    names = _canonical(controls_of(document, site))
    links: dict[Place, Link] = {}
    rows: dict[str, str] = {}
    for raw in spec.get("fields", ()):
        item = _read(raw, "", "", site.variable, names)
        links[item.target] = item
    for table in spec.get("tables", ()):
        name = names.get(("", table["to"]), table["to"])
        rows[name] = table["from"]
        for raw in table.get("fields", ()):
            item = _read(raw, name, table["from"], site.variable, names)
            links[item.target] = item
    return Board(links=links, rows=rows)


def with_board(document: Json, site: MapSite, board: Board) -> Json:
    """Write links into the step. A field that says the same as before keeps its place and its wording."""
    spec = dict(value_at(document, site.path)["map"])
    names = _canonical(controls_of(document, site))
    writer = _Writer(board, read_board(document, site), site.variable, names)
    old = {names.get(("", table["to"]), table["to"]): table for table in spec.get("tables", ())}
    order = [*(name for name in old if name in board.rows), *(name for name in board.rows if name not in old)]
    tables = [
        {
            **old.get(name, {"to": name}),
            "from": board.rows[name],
            "fields": writer.fields(name, old.get(name, {}).get("fields", ())),
        }
        for name in order
    ]
    for key, value in (("fields", writer.fields("", spec.get("fields", ()))), ("tables", tables)):
        if value or key in spec:
            spec[key] = value
    return _json(with_value(document, (*site.path, "map"), spec))


@dataclass(frozen=True)
class _Writer:
    board: Board
    before: Board
    variable: str
    names: Mapping[tuple[str, str], str]

    def fields(self, group: str, old: Sequence[Json]) -> list[Json]:
        """The fields of the header or of a table, as the file writes them."""
        wanted = {target: item for target, item in self.board.links.items() if target.group == group}
        same_rows = self.board.rows.get(group) == self.before.rows.get(group)
        written: list[Json] = []
        for raw in old:
            target = Place(group, self.names.get((group, raw["to"]), raw["to"]))
            item = wanted.pop(target, None)
            if item is not None:
                same = same_rows and item == self.before.links.get(target)
                written.append(raw if same else _write(item, raw["to"], self.variable))
        return written + [_write(item, item.target.name, self.variable) for item in wanted.values()]


def _read(raw: Json, table: str, rows: str, variable: str, names: Mapping[tuple[str, str], str]) -> Link:
    target = Place(table, names.get((table, raw["to"]), raw["to"]))
    through = tuple(raw.get("through", ()))
    if "from" in raw:
        source = Place(rows, raw["from"])
        group, dot, name = raw["from"].partition(".")
        if not table and dot and through and aggregate_of(through[0]):
            source = Place(group, name)
        return Link(target=target, source=source, through=through)
    name = _header_field(raw.get("value"), variable) if table else ""
    if name:
        return Link(target=target, source=Place("", name), through=through)
    return Link(target=target, value=raw.get("value"), through=through)


def _write(item: Link, to: str, variable: str) -> Json:
    written: Json = {"to": to}
    if item.source is None:
        written["value"] = item.value
    elif item.each_row:
        written["value"] = _header_expression(item.source.name, variable)
    elif item.aggregated:
        written["from"] = f"{item.source.group}.{item.source.name}"
    else:
        written["from"] = item.source.name
    if item.through:
        written["through"] = list(item.through)
    return written


def _header_expression(name: str, variable: str) -> str:
    access = f".{name}" if all(map(_IDENTIFIER.match, name.split("."))) else f"[{name!r}]"
    return f"{{{{ {variable}{access} }}}}"


def _header_field(value: Any, variable: str) -> str:
    if not variable or not isinstance(value, str):
        return ""
    inner = _inner(value)
    for pattern in (r"\.([A-Za-z_][\w.]*)", r"\['([^'\\]+)'\]"):
        found = re.fullmatch(re.escape(variable) + pattern, inner)
        if found and _header_expression(found[1], variable) == value:
            return found[1]
    return ""


def _canonical(controls: Sequence[Control], group: str = "") -> dict[tuple[str, str], str]:
    """(table's name, id or label) → the name that the studio uses: the label, or the id where labels repeat."""
    names: dict[tuple[str, str], str] = {}
    labels = [control.label for control in controls]
    for control in controls:
        name = control.label if control.label and labels.count(control.label) == 1 else control.id
        names[group, control.id] = name
        if name == control.label:
            names[group, control.label] = name
        if control.children:
            names |= _canonical(control.children, name)
    return names


def _walk(steps: Sequence[Json], path: Path) -> Iterator[tuple[Path, Json]]:
    for index, step in enumerate(steps):
        here = (*path, index)
        yield here, step
        for key in _NESTED:
            if isinstance(step.get(key), list):
                yield from _walk(step[key], (*here, key))
        if "switch" in step:
            for number, case in enumerate(step.get("cases", ())):
                yield from _walk(case.get("steps", ()), (*here, "cases", number, "steps"))


def _inner(text: Any) -> str:
    found = _WHOLE.match(str(text).strip())
    return found["inner"] if found else ""


def _json(document: Any) -> Json:
    result: Json = document
    return result


def with_case(document: Json, site: MapSite, *, name: str, row: Any, form: Mapping[str, Any]) -> Json:
    """Keep a row as a golden case: from now on it must become just this form. A case of the same name is replaced."""
    case = {"name": name, "flow": site.flow, "input": row_scope(site, row), "expect": {site.id: dict(form)}}
    others = [one for one in document.get("cases", []) if (one["name"], one["flow"]) != (name, site.flow)]
    return {**document, "cases": [*others, case]}
