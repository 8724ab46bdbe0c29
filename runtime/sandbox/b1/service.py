"""The Service Layer's calls: from a path and a method to rows, actions and answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from . import actions, attachments, records
from .batch import answer_batch
from .context import Context
from .faults import ServiceFault, bad_request, error_body, invalid_property, not_found
from .metadata import metadata_document
from .query import DEFAULT_PAGE, Expansion, QueryOptions, page_size, read_options, read_page
from .rows import Company, Key, Row
from .schema import ETAG, EntityType, Schema, build_schema
from .sessions import Session, Sessions
from .sql import queries
from .sql.console import Console
from .sql.mirror import Mirror
from .tables import SETS
from .urls import Resource, key_text, parse_key, parse_resource
from .wire import Call, Reply, json_body, json_reply

__all__ = ["TIMEZONE", "VERSION", "ServiceLayer"]

#: Build number that a login reports.
VERSION: Final = "1000280"
#: Where the company's clock stands.
TIMEZONE: Final = ZoneInfo("Asia/Shanghai")
#: Session language of a login -> language of the error texts.
_LANGUAGES: Final = {"15": "zh-cn"}
#: Changing one of these changes the schema.
_SCHEMA_SETS: Final = frozenset({"UserTablesMD", "UserFieldsMD", "UserObjectsMD"})
_PROXY_ERROR: Final = """<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">
<html><head><title>502 Proxy Error</title></head><body><h1>Proxy Error</h1>
<p>The proxy server received an invalid response from an upstream server.</p></body></html>
"""


class ServiceLayer:
    """One company behind a Service Layer.

    :param company: its data
    :param name: the company's data base (``CompanyDB``)
    :param clock: the time, timezone-aware
    :param refusals: what the next calls get, one each, before anything is done
    """

    def __init__(
        self,
        company: Company,
        name: str,
        sessions: Sessions,
        clock: Callable[[], datetime],
        refusals: deque[ServiceFault],
    ) -> None:
        self.company = company
        self.name = name
        self.sessions = sessions
        #: v1 shows dates as ``2022-08-23T00:00:00Z`` instead of ``2022-08-23``; both are seen in the field.
        self.long_dates_in_v1 = False
        self._refusals = refusals
        self._clock = clock
        self.schema: Schema
        self.refresh_schema()
        self.sql = Console(Mirror(company, lambda: self.schema), name, lambda: self.context(user=1))

    def refresh_schema(self) -> None:
        """Build the schema from the user tables, fields and objects, and open the sets that it names."""
        fixed = {row.name: self.company.open(row) for row in SETS}
        tables, fields, objects = (
            fixed[name].rows.values() for name in ("UserTablesMD", "UserFieldsMD", "UserObjectsMD")
        )
        self.schema = build_schema(tables, fields, objects)
        for name in set(self.company.sets) - set(self.schema.sets):
            self.company.close(name)
        for definition in self.schema.sets.values():
            self.company.open(definition)

    def context(self, user: int) -> Context:
        """A unit of work of a user, now."""
        now = self._clock().astimezone(TIMEZONE)
        today, time = now.date().isoformat(), now.strftime("%H:%M:%S")
        return Context(company=self.company, schema=self.schema, today=today, time=time, user=user)

    def answer(self, call: Call) -> Reply:
        """Carry out a call; a refusal becomes the answer that the version prescribes."""
        language = "en-us"
        try:
            if self._refusals:
                raise self._refusals.popleft()
            resource = parse_resource(call.path)
            if resource.name == "Login":
                return self._login(call)
            session = self.sessions.use(call.headers)
            language = session.language
            if resource.name == "$batch" and call.method == "POST":
                return answer_batch(call, lambda inner: self._answer_in(session, inner), self.company.transaction)
            return self._execute(call, resource, session)
        except ServiceFault as fault:
            return json_reply(fault.status, error_body(fault, call.version, language), call.version)

    def _answer_in(self, session: Session, call: Call) -> Reply:
        """One call of a batch."""
        try:
            resource = parse_resource(call.path)
            if resource.name in _SCHEMA_SETS and call.method != "GET":
                raise bad_request("Metadata cannot be changed in a batch")
            return self._execute(call, resource, session)
        except ServiceFault as fault:
            return json_reply(fault.status, error_body(fault, call.version, session.language), call.version)

    def authenticate(self, body: Mapping[str, Any]) -> int:
        """Check what was sent to log in, and return the user's ``InternalKey``.

        :raises ServiceFault: 401/-306 another company, 401/-304 no such user or another password
        """
        users = self.company.sets["Users"]
        keys = users.lookup("UserCode", str(body.get("UserName", ""))) or []
        user = users.rows[keys[0]] if keys else {}
        refusal = "Fail to NONE-SSO login from SLD."
        if body.get("CompanyDB") != self.name:
            raise ServiceFault(401, -306, refusal)
        if not user or user.get("UserPassword") != body.get("Password") or user.get("Locked") == "tYES":
            raise ServiceFault(401, -304, refusal)
        return int(user["InternalKey"])

    def _login(self, call: Call) -> Reply:
        if call.method != "POST":
            raise _not_allowed()
        body = json_body(call)
        language = _LANGUAGES.get(str(body.get("Language")), "en-us")
        session = self.sessions.open(self.name, self.authenticate(body), language, call.headers)
        content: dict[str, Any] = _context_link(call, "B1Sessions", single=True)
        content |= {"SessionId": session.id, "Version": VERSION, "SessionTimeout": int(self.sessions.minutes)}
        cookies = (
            ("Set-Cookie", f"B1SESSION={session.id}; path=/; HttpOnly; SameSite=Lax"),
            ("Set-Cookie", f"ROUTEID={session.node}; path=/"),
        )
        return json_reply(200, content, call.version, cookies)

    def _execute(self, call: Call, resource: Resource, session: Session) -> Reply:
        if resource.name == "Logout" and call.method == "POST":
            self.sessions.close(session)
            return Reply(status=204)
        if not resource.name and call.method == "GET":
            return self._service_document(call)
        if resource.name == "$metadata" and call.method == "GET":
            return Reply(
                status=200,
                body=metadata_document(self.schema, call.version),
                media_type="application/xml;charset=utf-8",
            )
        context = self.context(session.user)
        if resource.name == actions.SAVE_DRAFT and call.method == "POST":
            with self.company.transaction():
                actions.save_draft(context, json_body(call))
            return Reply(status=204)
        if resource.name not in self.schema.sets:
            raise ServiceFault(404, 205, "Unrecognized resource path.")
        entity_type = self.schema.type_of(resource.name)
        if resource.key is None:
            return self._on_set(call, resource, entity_type, context)
        return self._on_entity(call, resource, entity_type, context)

    def _on_set(self, call: Call, resource: Resource, entity_type: EntityType, context: Context) -> Reply:
        if resource.tail == ("$count",) and call.method == "GET":
            return self._count(call, resource, entity_type)
        if resource.tail:
            raise ServiceFault(404, 205, "Unrecognized resource path.")
        if call.method == "POST":
            return self._create(call, resource.name, entity_type, context)
        if call.method != "GET":
            raise _not_allowed()
        options = self._options(call, entity_type)
        page = read_page(
            self.company.sets[resource.name], entity_type, options, page_size(call.headers.get("prefer", ""))
        )
        content: dict[str, Any] = _context_link(call, resource.name)
        prefix = "odata." if call.version == "v1" else "@odata."
        if page.count is not None:
            content[f"{prefix}count"] = str(page.count) if call.version == "v1" else page.count
        content["value"] = [self._show(call, row, entity_type, options.select, options.expand) for row in page.rows]
        if page.next_query is not None:
            content[f"{prefix}nextLink"] = f"{resource.name}?{page.next_query}"
        return json_reply(200, content, call.version)

    def _count(self, call: Call, resource: Resource, entity_type: EntityType) -> Reply:
        try:
            options = self._options(call, entity_type)
        except ServiceFault as fault:
            if fault.code == -1000 and "$filter" in call.query.replace("%24", "$"):
                return Reply(status=502, body=_PROXY_ERROR.encode(), media_type="text/html; charset=iso-8859-1")
            raise
        counted = QueryOptions(filter=options.filter, count=True)
        page = read_page(self.company.sets[resource.name], entity_type, counted, 1)
        return Reply(status=200, body=str(page.count).encode(), media_type="text/plain")

    def _create(self, call: Call, entity_set: str, entity_type: EntityType, context: Context) -> Reply:
        body = self._body(call, entity_set, context)
        with self._change(entity_set):
            key = records.create(context, entity_set, body)
        if entity_set in _SCHEMA_SETS:
            entity_type = self.schema.type_of(entity_set)
        location = ("Location", f"{call.root}{entity_set}({key_text(key, entity_type)})")
        if "return-no-content" in call.headers.get("prefer", ""):
            return Reply(status=204, headers=(location,))
        row = self.company.sets[entity_set].rows[key]
        content = _context_link(call, entity_set, single=True) | self._show(call, row, entity_type, None, ())
        return json_reply(201, content, call.version, (location, ("ETag", row[ETAG])))

    def _on_entity(self, call: Call, resource: Resource, entity_type: EntityType, context: Context) -> Reply:
        entity_set, key = resource.name, parse_key(resource.key or "", entity_type)
        if entity_set == "SQLQueries" and resource.tail == ("List",) and call.method in {"GET", "POST"}:
            return self._list_query(call, context.get(entity_set, key), key)
        if resource.tail and call.method == "POST":
            return self._act(entity_set, entity_type, key, resource.tail, context)
        row = context.get(entity_set, key)
        if call.method == "GET" and entity_set == "Attachments2" and resource.tail == ("$value",):
            return attachments.read_file(context, row, call)
        if call.method == "GET":
            return self._read(call, resource, entity_type, row)
        wanted = call.headers.get("if-match", "*")
        if wanted != "*" and wanted != row[ETAG]:
            raise ServiceFault(412, -2039, "Another user or another operation modified data (ODBC -2039)")
        if call.method == "PATCH" and not resource.tail:
            try:
                body = json_body(call)
            except ServiceFault as fault:
                raise ServiceFault(400, 206, "Bad patch content.") from fault
            body = self._with_text(entity_set, body)
            replace = call.headers.get("b1s-replacecollectionsonpatch", "").lower() == "true"
            with self._change(entity_set):
                records.update(context, entity_set, key, body, replace=replace)
            return Reply(status=204)
        if call.method == "DELETE" and not resource.tail:
            with self._change(entity_set):
                records.delete(context, entity_set, key)
            return Reply(status=204)
        raise _not_allowed()

    def _body(self, call: Call, entity_set: str, context: Context) -> Mapping[str, Any]:
        """What is to be created."""
        if entity_set == "Attachments2":
            return attachments.take_files(context, call)
        body = json_body(call)
        if entity_set == "SQLQueries" and "SqlText" not in body:
            raise bad_request("Property 'SqlText' of 'SQLQuery' is missing", -1000)
        return self._with_text(entity_set, body)

    def _with_text(self, entity_set: str, body: dict[str, Any]) -> dict[str, Any]:
        """A text of ``SQLQueries`` in the form in which it is stored; its parameters follow from it alone."""
        if entity_set != "SQLQueries":
            return body
        kept = {name: value for name, value in body.items() if name != "ParamList"}
        if "SqlText" not in kept:
            return kept
        text, parameters = queries.normalised(str(kept["SqlText"]), self.sql)
        return {**kept, "SqlText": text, "ParamList": parameters}

    def _list_query(self, call: Call, row: Row, key: Key) -> Reply:
        """``SQLQueries('x')/List``: always in pages; a ``SqlText`` in the body is ignored."""
        sent, text = queries.parameters_of_query(call.query), call.query
        if call.method == "POST":
            sent, text = queries.parameters_of_body(json_body(call) if call.body.strip() else {})
        options = dict(part.partition("=")[::2] for part in call.query.replace("%24", "$").split("&"))
        rows = queries.list_rows(row["SqlText"], sent, self.sql)
        size = page_size(call.headers.get("prefer", "")) or DEFAULT_PAGE
        shown, following = queries.page_of(rows, options.get("$skip", "0"), size)
        content: dict[str, Any] = _context_link(call, "SAPB1.SQLQueryResult")
        content |= {"SqlText": row["SqlText"], "value": shown}
        if following is not None:
            kept = "&".join(part for part in text.replace("%24", "$").split("&") if not part.startswith("$skip="))
            prefix = "odata." if call.version == "v1" else "@odata."
            address = f"SQLQueries({key_text(key, self.schema.type_of('SQLQueries'))})/List"
            content[f"{prefix}nextLink"] = f"{address}?{kept}&$skip={following}"
        return json_reply(200, content, call.version)

    def _act(
        self, entity_set: str, entity_type: EntityType, key: Key, tail: tuple[str, ...], context: Context
    ) -> Reply:
        name = tail[0] if len(tail) == 1 else ""
        act = actions.BOUND.get((entity_type.name, name))
        with self.company.transaction():
            if act is not None:
                act(context, entity_set, key)
            elif self.schema.sets[entity_set].table.startswith("@"):
                actions.user_object_action(context, entity_set, key, name)
            else:
                raise ServiceFault(404, 205, "Unrecognized resource path.")
        return Reply(status=204)

    def _read(self, call: Call, resource: Resource, entity_type: EntityType, row: Row) -> Reply:
        if not resource.tail:
            options = self._options(call, entity_type)
            content: dict[str, Any] = _context_link(call, resource.name, single=True)
            content |= self._show(call, row, entity_type, options.select, options.expand)
            return json_reply(200, content, call.version, (("ETag", row[ETAG]),))
        name = resource.tail[0]
        if name not in entity_type.properties:
            raise invalid_property(name, entity_type.name)
        value = self._show(call, row, entity_type, frozenset({name}), ())[name]
        if resource.tail[1:] == ("$value",):
            if value is None:
                raise not_found()
            return Reply(status=200, body=str(value).encode(), media_type="text/plain;charset=utf-8")
        if resource.tail[1:]:
            raise ServiceFault(404, 205, "Unrecognized resource path.")
        link = _context_link(call, f"{resource.name}({resource.key})/{name}")
        return json_reply(200, {**link, "value": value}, call.version)

    def _options(self, call: Call, entity_type: EntityType) -> QueryOptions:
        ignore_case = call.headers.get("b1s-caseinsensitive", "").lower() == "true"
        return read_options(call.query, entity_type, self.schema, ignore_case=ignore_case)

    def _show(
        self,
        call: Call,
        row: Row,
        entity_type: EntityType,
        select: frozenset[str] | None,
        expand: tuple[Expansion, ...],
    ) -> Row:
        etag = ETAG if call.version == "v1" else f"@{ETAG}"
        long_dates = call.version == "v2" or self.long_dates_in_v1
        shown = entity_type.render(row, etag=etag, long_dates=long_dates, select=select)
        for expansion in expand:
            if select is not None and expansion.name not in select:
                continue
            navigation = entity_type.navigation[expansion.name]
            target_type = self.schema.type_of(navigation.target)
            target = self.company.sets[navigation.target].get(row.get(navigation.foreign_key))
            if target is not None:
                target = target_type.render(target, etag=etag, long_dates=long_dates, select=expansion.select)
            shown[expansion.name] = target
        return shown

    def _change(self, entity_set: str) -> _Change:
        return _Change(self, entity_set)

    def _service_document(self, call: Call) -> Reply:
        names = [{"name": name, "kind": "EntitySet", "url": name} for name in sorted(self.schema.sets)]
        return json_reply(200, {**_context_link(call, ""), "value": names}, call.version)


class _Change:
    """A transaction that rebuilds the schema where the set describes it, also after it was undone."""

    def __init__(self, service: ServiceLayer, entity_set: str) -> None:
        self._service = service
        self._metadata = entity_set in _SCHEMA_SETS
        self._transaction = service.company.transaction()

    def __enter__(self) -> None:
        self._transaction.__enter__()

    def __exit__(self, *error: Any) -> None:
        try:
            self._transaction.__exit__(*error)
        finally:
            if self._metadata:
                self._service.refresh_schema()


def _context_link(call: Call, what: str, *, single: bool = False) -> dict[str, Any]:
    if call.version == "v1":
        suffix = "/@Element" if single else ""
        return {"odata.metadata": f"{call.root}$metadata#{what}{suffix}" if what else f"{call.root}$metadata"}
    suffix = "/$entity" if single else ""
    return {"@odata.context": f"{call.root}$metadata#{what}{suffix}" if what else f"{call.root}$metadata"}


def _not_allowed() -> ServiceFault:
    return ServiceFault(405, -1000, "The HTTP method is not supported for this resource.")
