"""What the designer asks the outside systems: what there is to read, rows, forms. Read only."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from pydantic import ValidationError

from runtime.config import DEFAULT_TIMEZONE
from runtime.connectors.actions import Effect
from runtime.connectors.catalog import Entity, SourceField
from runtime.connectors.registry import connector_kind
from runtime.connectors.weaver.database import FORM_STATEMENT, form_of_rows
from runtime.engine.pool import ConnectorPool
from runtime.errors import BadMapping, IntegrationError
from runtime.mapping.expressions import compile_value
from runtime.mapping.forms import Form
from studio.designer.design import Design
from studio.designer.document import value_at
from studio.designer.dynamic import designed_with
from studio.designer.statements import role_of_setting
from studio.workspace import workspace

__all__ = [
    "Fetched",
    "Ways",
    "connection_of",
    "connections_of",
    "connections_with",
    "dialect_of",
    "entities",
    "fetch_form",
    "fetch_rows",
    "fields",
    "forget",
    "form_from_database",
    "kind_of",
    "scope_of",
    "ways_of",
]


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How a connection can be read."""

    #: By entity set (OData).
    entities: bool
    #: SQL dialect of its statements; empty if it takes none.
    dialect: str


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """Rows of a query, and the seconds it took."""

    rows: list[dict[str, Any]]
    seconds: float


def connections_with(ability: str) -> list[str]:
    """Names of the connections whose kind has an ability: ``catalog``, ``forms``."""
    names = []
    for info in workspace().connections.list():
        kind = connector_kind(info.kind)
        if kind is None:
            continue
        able = kind.has_forms if ability == "forms" else not kind.has_forms
        if able:
            names.append(info.name)
    return names


def connections_of(kind: str) -> list[str]:
    """Names of the connections of a kind."""
    return [info.name for info in workspace().connections.list() if info.kind == kind]


def kind_of(connection: str) -> str:
    """The kind of a connection; empty if there is none of this name."""
    return next((info.kind for info in workspace().connections.list() if info.name == connection), "")


def scope_of(design: Design) -> dict[str, Any]:
    """The variables that exist outside every row: ``settings``, ``now``, ``run_id``."""
    zone = ZoneInfo(design.document.get("timezone", DEFAULT_TIMEZONE))
    return {"settings": design.document.get("settings", {}), "now": datetime.now(zone), "run_id": "preview"}


def query_params(design: Design) -> dict[str, Any]:
    """The parameters of the query in hand, with their expressions worked out."""
    if design.query is None:
        return {}
    raw = value_at(design.document, design.query.path).get("with", {})
    params = compile_value(raw, where=design.query.role)(scope_of(design))
    return dict(params)


def fetch_rows(design: Design, limit: int, *, filtered: bool = True) -> Fetched:
    """Run the query in hand and return its first rows.

    :param filtered: False leaves its filter out
    :raises IntegrationError: the connection, the query or an expression in it is at fault
    """
    query, space = design.query, workspace()
    if query is None:
        raise BadMapping("这个步骤没有查询", "This step has no query", where=design.id)
    name = connection_of(design, query.role)
    started = time.perf_counter()
    params = query_params(design)
    if not filtered:
        params.pop("filter", None)
    rows = space.bridge.run(_rows(space.pool, name, params, limit))
    return Fetched(rows=rows, seconds=time.perf_counter() - started)


def connection_of(design: Design, role: str) -> str:
    """The connection that stands for a role; where it is chosen at run time, the one to design with.

    :raises BadMapping: none is chosen
    """
    name = designed_with(design.document, role)
    if not name:
        raise BadMapping(f"角色 {role} 还没有选择连接", f"No connection is chosen for the role {role}", where=design.id)
    return str(name)


def fetch_form(connection: str, code: str) -> Form:
    """The real form.

    :raises FormGone: there is none of this code
    """
    space = workspace()

    async def work() -> Form:
        async with space.pool.lease() as lease:
            return await (await lease.get(connection)).fetch_form(code)

    return space.bridge.run(work())


def ways_of(connection: str) -> Ways:
    """How a connection can be read; nothing is sent."""
    return _ways(connection, workspace().connections.get(connection).updated_at)


def dialect_of(flows: Any, setting: str, connections: Mapping[str, str]) -> str:
    """The SQL dialect that a setting's statement is written in; empty while the connection is not known or not fit.

    :param connections: role → name of its connection
    """
    name = connections.get(role_of_setting(flows, setting), "")
    try:
        return ways_of(name).dialect if name else ""
    except IntegrationError:  # the page that works with the connection says so
        return ""


def form_from_database(connection: str, code: str) -> Form:
    """A workflow's form, read from e-cology's own database.

    :param connection: the one to that database, of a kind that has ``exec_sql``
    :raises FormGone: there is no workflow of this number
    """
    space = workspace()

    async def work() -> list[dict[str, Any]]:
        async with space.pool.lease() as lease:
            action = (await lease.get(connection)).actions["exec_sql"]
            number = int(code) if code.isascii() and code.isdecimal() else code
            rows: list[dict[str, Any]] = await action.run(
                action.params.model_validate({"sql": FORM_STATEMENT, "parameters": {"workflow": number}})
            )
            return rows

    return form_of_rows(code, space.bridge.run(work()))


def entities(connection: str) -> Sequence[Entity]:
    """Everything rows can be read from; asked once per connection."""
    return _entities(connection, workspace().connections.get(connection).updated_at)


def fields(connection: str, entity: str) -> Sequence[SourceField]:
    """The fields of an entity; asked once per connection and entity."""
    return _fields(connection, workspace().connections.get(connection).updated_at, entity)


def forget() -> None:
    """Ask the systems again the next time."""
    _entities.clear()
    _fields.clear()


@st.cache_resource(show_spinner=False, max_entries=64)
def _ways(connection: str, version: datetime) -> Ways:
    space = workspace()

    async def work() -> Ways:
        async with space.pool.lease() as lease:
            connector = await lease.get(connection)
            query = connector.actions.get("query")
            return Ways(entities=query is not None and "entity" in query.params.model_fields, dialect=connector.dialect)

    return space.bridge.run(work())


@st.cache_resource(show_spinner=False, ttl=3600, max_entries=32)
def _entities(connection: str, version: datetime) -> tuple[Entity, ...]:
    space = workspace()

    async def work() -> tuple[Entity, ...]:
        async with space.pool.lease() as lease:
            catalog = (await lease.get(connection)).catalog()
            return tuple(await catalog.entities()) if catalog else ()

    return space.bridge.run(work())


@st.cache_resource(show_spinner=False, ttl=3600, max_entries=64)
def _fields(connection: str, version: datetime, entity: str) -> tuple[SourceField, ...]:
    space = workspace()

    async def work() -> tuple[SourceField, ...]:
        async with space.pool.lease() as lease:
            catalog = (await lease.get(connection)).catalog()
            return tuple(await catalog.fields(entity)) if catalog else ()

    return space.bridge.run(work())


async def _rows(pool: ConnectorPool, name: str, params: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with pool.lease() as lease:
        action = (await lease.get(name)).actions.get("query")
        if action is None or action.effect is not Effect.READ:
            raise BadMapping("这个连接不能查询", "This connection cannot be queried", where=name)
        try:
            wanted = action.params.model_validate({**params, "top": limit})
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise BadMapping(
                f"查询参数 {field} 不对：{first['msg']}",
                f"Query parameter {field} is wrong: {first['msg']}",
                where=name,
            ) from error
        async with aclosing(await action.run(wanted)) as stream:
            async for row in stream:
                rows.append(row)
                if len(rows) >= limit:
                    break
    return rows
