"""The mapper: a compiled ``map`` step, which fills a form from a record.

Calling it is the hot path: fields are flat tuples, a plain ``from`` is one dictionary access. Where every value came
from is what :meth:`Mapper.trace` tells, at leisure, for previews.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from runtime.errors import BadMapping, IntegrationError, MappingFailed
from runtime.mapping.controls import resolve_controls
from runtime.mapping.expressions import Scope, compile_operand, compile_value
from runtime.mapping.forms import Control
from runtime.mapping.models import FieldLink, MapSpec
from runtime.mapping.paths import compile_path, missing_field, parse_path
from runtime.mapping.problems import Failure
from runtime.mapping.transforms import compile_transform, transform_name

__all__ = ["FieldTrace", "MappedForm", "Mapper", "Traced", "compile_field", "compile_map"]


class MappedForm(dict[str, Any]):
    """Target as written → value; a table is a list of such objects.

    :ivar controls: target as written → control of the form; a table's columns are its ``children``. Shared by all
        forms of one mapper: not to be changed.
    """

    __slots__ = ("controls",)

    def __init__(
        self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), controls: Mapping[str, Control] | None = None
    ) -> None:
        super().__init__(values)
        self.controls: Mapping[str, Control] = {} if controls is None else controls


@dataclass(frozen=True, kw_only=True)
class FieldTrace:
    """How one field got its value."""

    to: str
    #: Table that the column belongs to, or empty.
    table: str
    #: Row, counted from 1, or None.
    row: int | None
    #: Path, constant or expression, as written.
    source: str
    #: What the source held, before any transform.
    raw: Any
    #: (transform, value after it), one after the other, as far as it got.
    steps: tuple[tuple[str, Any], ...]
    value: Any
    error: Failure | None


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A form with its provenance; fields that failed are missing from it."""

    form: MappedForm
    fields: list[FieldTrace]
    failures: list[Failure]


_Change = Callable[[Any], Any]


class _Field(NamedTuple):
    """One field, flat for the hot loop."""

    to: str
    #: Name of a plain field of the record; None: the value comes from ``compute``.
    key: str | None
    #: From the record and the variables.
    compute: Callable[[Any, Scope], Any]
    #: All transforms in one, or None.
    change: _Change | None


@dataclass(frozen=True, kw_only=True)
class _Details:
    """What only errors and traces need to know of a field."""

    source: str
    changes: tuple[tuple[str, _Change], ...]


@dataclass(frozen=True, kw_only=True)
class _Table:
    to: str
    read: Callable[[Any], Any]
    source: str
    fields: tuple[_Field, ...]
    details: tuple[_Details, ...]
    #: Whether a column is an expression, so that rows need variables of their own.
    computed: bool


class Mapper:
    """Fills a form from the variables at its place; made by :func:`compile_map`. Safe to share between threads."""

    def __init__(
        self,
        *,
        where: str,
        record: Callable[[Scope], Any],
        fields: Sequence[tuple[_Field, _Details]],
        tables: Sequence[_Table],
        controls: Mapping[str, Control],
    ) -> None:
        self._where = where
        self._record = record
        self._fields = tuple(field for field, _ in fields)
        self._details = tuple(details for _, details in fields)
        self._tables = tuple(tables)
        self.controls = controls

    def __call__(self, scope: Scope) -> MappedForm:
        """The filled form.

        :raises MappingFailed: a field cannot be computed; it names the field, and the row for a table
        """
        record = self._record(scope)
        form = MappedForm((), self.controls)
        place = _HEADER
        try:
            _fill(form, self._fields, record, scope)
            for table in self._tables:
                place = _Place(table.to, None)
                rows = _rows(table, record)
                columns = table.fields
                filled: list[dict[str, Any]] = []
                form[table.to] = filled
                for row in rows:
                    values: dict[str, Any] = {}
                    filled.append(values)
                    inner = {**scope, "row": row, "row_number": len(filled)} if table.computed else scope
                    _fill(values, columns, row, inner)
        except _FieldFailed as error:
            if place.table and form.get(place.table):
                place = _Place(place.table, len(form[place.table]))
            raise self._located(error, place) from error.__cause__
        return form

    def trace(self, scope: Scope) -> Traced:
        """The filled form with the provenance of every field. A field's failure is reported, never raised.

        :raises MappingFailed: the record itself (``from``) cannot be computed
        """
        record = self._record(scope)
        form = MappedForm((), self.controls)
        traces = _trace(form, zip(self._fields, self._details, strict=True), record, scope, _HEADER)
        failures = []
        for table in self._tables:
            try:
                rows = _rows(table, record)
            except _FieldFailed as error:
                failures.append(Failure(table.to, table.to, None, error.zh, error.en))
                continue
            filled: list[dict[str, Any]] = []
            for number, row in enumerate(rows, 1):
                inner = {**scope, "row": row, "row_number": number}
                values: dict[str, Any] = {}
                columns = zip(table.fields, table.details, strict=True)
                traces += _trace(values, columns, row, inner, _Place(table.to, number))
                filled.append(values)
            form[table.to] = filled
        failures = [trace.error for trace in traces if trace.error is not None] + failures
        return Traced(form=form, fields=traces, failures=failures)

    def _located(self, error: _FieldFailed, place: _Place) -> MappingFailed:
        if place.row is not None:
            zh, en = f"“{place.table}”第 {place.row} 行“{error.to}”", f"{place.table!r} row {place.row}, {error.to!r}"
            path = f"{place.table}[{place.row}].{error.to}"
        else:
            zh, en, path = f"“{error.to}”", f"{error.to!r}", error.to
        return MappingFailed(f"{zh}：{error.zh}", f"{en}: {error.en}", where=f"{self._where}: {path}".lstrip(": "))


class _Place(NamedTuple):
    """Which table and row (from 1) the fields belong to; empty and None for the header."""

    table: str
    row: int | None


_HEADER: Final = _Place("", None)


class _FieldFailed(Exception):
    """A field could not be computed; its place is not known here."""

    def __init__(self, to: str, zh: str, en: str) -> None:
        super().__init__(to)
        self.to, self.zh, self.en = to, zh, en


def _fill(form: dict[str, Any], fields: tuple[_Field, ...], record: Any, scope: Scope) -> None:
    to = ""
    try:
        for to, key, compute, change in fields:
            value = record[key] if key is not None else compute(record, scope)
            form[to] = value if change is None else change(value)
    except Exception as error:
        # Whatever goes wrong in a field is the fault of this field with this record; ``to`` tells which one.
        field = next(field for field in fields if field.to == to)
        raise _FieldFailed(to, *_reason(field, record, error)) from error


def _trace(
    form: dict[str, Any], fields: Iterable[tuple[_Field, _Details]], record: Any, scope: Scope, place: _Place
) -> list[FieldTrace]:
    traces = []
    for field, details in fields:
        raw = value = None
        steps: list[tuple[str, Any]] = []
        failure = None
        try:
            raw = value = record[field.key] if field.key is not None else field.compute(record, scope)
            for name, change in details.changes:
                value = change(value)
                steps.append((name, value))
            form[field.to] = value
        except Exception as error:
            # As in _fill, but reported instead of raised.
            value = None
            failure = Failure(field.to, place.table, place.row, *_reason(field, record, error))
        traces.append(
            FieldTrace(
                to=field.to,
                table=place.table,
                row=place.row,
                source=details.source,
                raw=raw,
                steps=tuple(steps),
                value=value,
                error=failure,
            )
        )
    return traces


def _rows(table: _Table, record: Any) -> Sequence[Any]:
    try:
        rows = table.read(record)
    except MappingFailed as error:
        raise _FieldFailed(table.to, error.zh, error.en) from error
    if rows is None:
        return ()
    if not isinstance(rows, list | tuple):
        raise _FieldFailed(table.to, f"“{table.source}”不是列表", f"{table.source!r} is not a list")
    return rows


def _reason(field: _Field, record: Any, error: Exception) -> tuple[str, str]:
    if isinstance(error, IntegrationError):
        return error.zh, error.en
    if field.key is not None and not isinstance(record, Mapping):
        return "来源不是一条记录，读不到字段", "The source is not a record: it has no fields"
    if field.key is not None and field.key not in record:
        missing = missing_field(field.key, field.key)
        return missing.zh, missing.en
    return f"无法计算：{error}", f"It cannot be computed: {error}"


def compile_map(spec: MapSpec, *, timezone: str, where: str) -> Mapper:
    """Compile a ``map`` step.

    :param timezone: IANA zone of the mapping, for moments
    :param where: JSON path or id of the step, put in front of every error
    :raises BadMapping: an unknown control, a wrong path or transform
    :raises BadExpression: an expression does not compile
    """
    controls, problems = resolve_controls(spec, where)
    if problems:
        first = problems[0]
        raise BadMapping(first.zh, first.en, where=first.where)
    tables = []
    for index, table in enumerate(spec.tables):
        place = f"{where}.tables[{index}]"
        columns = _compile_fields(table.fields, timezone, place)
        tables.append(
            _Table(
                to=table.to,
                read=compile_path(table.from_, f"{place}.from"),
                source=table.from_,
                fields=tuple(field for field, _ in columns),
                details=tuple(details for _, details in columns),
                computed=any(link.from_ is None for link in table.fields),
            )
        )
    return Mapper(
        where=where,
        record=compile_operand(spec.from_, where=f"{where}.from"),
        fields=_compile_fields(spec.fields, timezone, where),
        tables=tables,
        controls=controls,
    )


def _compile_fields(links: Sequence[FieldLink], timezone: str, where: str) -> list[tuple[_Field, _Details]]:
    return [compile_field(link, timezone, f"{where}.fields[{index}]") for index, link in enumerate(links)]


def compile_field(link: FieldLink, timezone: str, where: str) -> tuple[_Field, _Details]:
    """Compile one field; for :mod:`runtime.mapping.check`, which wants every error and not just the first.

    :raises BadMapping: a wrong path or transform
    :raises BadExpression: an expression does not compile
    """
    key = None
    if link.from_ is not None:
        source = link.from_
        parts = parse_path(link.from_, f"{where}.from")
        if len(parts) == 1 and isinstance(parts[0], str):
            key = parts[0]
        read = compile_path(link.from_, f"{where}.from")
        compute: Callable[[Any, Scope], Any] = lambda record, _scope: read(record)  # noqa: E731
    else:
        source = link.value if isinstance(link.value, str) else repr(link.value)
        value = compile_value(link.value, where=f"{where}.value")
        compute = lambda _record, scope: value(scope)  # noqa: E731
        if value.constant:
            compute = lambda _record, _scope: link.value  # noqa: E731
    changes = tuple(
        (transform_name(entry), compile_transform(entry, timezone=timezone, where=f"{where}.through[{index}]"))
        for index, entry in enumerate(link.through)
    )
    field = _Field(link.to, key, compute, _compose([change for _, change in changes]))
    return field, _Details(source=source, changes=changes)


def _compose(changes: Sequence[_Change]) -> _Change | None:
    match changes:
        case []:
            return None
        case [only]:
            return only
        case [one, two]:
            return lambda value: two(one(value))

    def change(value: Any) -> Any:
        for step in changes:
            value = step(value)
        return value

    return change
