"""Mode data (建模): records saved and read through interfaces that the OA's administrator configures.

e-cology 9, 建模接口 saveOrUpdateModeData and getModeDataPageList. They have a login of their own: the MD5 of system id,
password and time. Their answers differ by build; every known shape is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from runtime import jsontext
from runtime.connectors.actions import Effect, WireRequest
from runtime.connectors.weaver.actions import ListModeData, SaveModeData
from runtime.connectors.weaver.answers import check, content_of
from runtime.connectors.weaver.client import WeaverClient
from runtime.connectors.weaver.mode_answers import require_good, results_of, rows_of
from runtime.connectors.weaver.settings import WeaverSettings
from runtime.connectors.weaver.values import Style, encode_value, style_of
from runtime.errors import BadConnection, IntegrationError, RemoteFault, RemoteRefused, ValueRefused
from runtime.jsontext import object_of
from runtime.mapping.forms import Control
from runtime.mapping.mapper import MappedForm
from runtime.mapping.values import is_blank

__all__ = ["ModeData"]

_PATH = "/api/cube/restful/interface/"
_ACTION = {"action": "SaveOrUpdate", "actionDescribe": "SaveOrUpdate"}
_PLAIN = Control(id="", label="")
_MOST_PAGES = 10_000


class ModeData:
    """The mode engine's interfaces, as one system id sees them."""

    def __init__(self, client: WeaverClient, settings: WeaverSettings) -> None:
        self._client = client
        self._settings = settings
        self._style = style_of(settings)
        self._zone = ZoneInfo(settings.timezone)

    async def prepare_save(self, params: SaveModeData) -> WireRequest:
        """The first call that :meth:`save` makes, its checksum hidden; ``datajson`` is JSON text in a form's field.

        :raises ValueRefused: there is no record that could be sent
        """
        entries = self._entries(params, self._now())
        documents = [entry for entry in entries if not isinstance(entry, ValueRefused)][: params.batch]
        if not documents and entries:
            raise next(entry for entry in entries if isinstance(entry, ValueRefused))
        body = {"datajson": _json({"header": self._header(self._now()) | {"Md5": "…"}, "data": documents})}
        return WireRequest(
            method="POST", url=self._client.url(f"{_PATH}saveOrUpdateModeData/{params.interface}"), body=body
        )

    def promise(self, params: SaveModeData, placeholder: str) -> dict[str, Any]:
        """What :meth:`save` yields if the OA accepts everything that is sent."""
        entries = self._entries(params, self._now())
        good = {"accepted": True, "id": placeholder, "message": ""}
        return _summary(entries, [_unsent(entry) if isinstance(entry, ValueRefused) else good for entry in entries])

    async def save(self, params: SaveModeData) -> dict[str, Any]:
        """Insert or update records, in batches. A batch that is refused as a whole is sent again one by one, so that
        one bad record does not hold up the others; nor does one that does not say which it is, or whose values have no
        spelling: it is not sent.

        :returns: ``records`` (one per record, in order: ``index``, ``accepted``, ``id``, ``message``, and as ``values``
            what was sent of the main table), ``accepted`` and ``refused`` (those of them)
        :raises RemoteFault: the answer does not tell which records were accepted
        :raises IntegrationError: ``partly_done`` where the OA accepted records before
        """
        entries = self._entries(params, self._now())
        documents = [entry for entry in entries if not isinstance(entry, ValueRefused)]
        sent: list[dict[str, Any]] = []
        try:
            for first in range(0, len(documents), params.batch):
                await self._save(params, documents[first : first + params.batch], sent)
        except IntegrationError as error:
            error.partly_done |= any(one["accepted"] for one in sent)
            raise
        answers = iter(sent)
        return _summary(
            entries, [_unsent(entry) if isinstance(entry, ValueRefused) else next(answers) for entry in entries]
        )

    async def read(self, params: ListModeData) -> AsyncIterator[dict[str, Any]]:
        """Rows of the main table, page by page; an empty or repeated page is the end."""
        return self._rows(params)

    async def _rows(self, params: ListModeData) -> AsyncIterator[dict[str, Any]]:
        before: Any = None
        operator = self._client.user(params.operator)
        main = {name: encode_value(_PLAIN, value, self._style) for name, value in params.filter.items()}
        for page in range(1, _MOST_PAGES):
            now = self._now()
            document = {
                "header": self._header(now),
                "pageInfo": {"pageNo": str(page), "pageSize": str(params.page_size)},
                "mainTable": main,
                "operationinfo": self._operation(operator, now),
            }
            answer = await self._call(f"getModeDataPageList/{params.interface}", operator, document, Effect.READ)
            require_good(answer)
            rows = rows_of(answer)
            if rows is None:
                raise RemoteFault("OA 的答复没有数据行", "The OA's answer holds no rows", where=params.interface)
            if not rows or rows == before:
                return
            for row in rows:
                yield dict(object_of(row.get("mainTable")) or row)
            if len(rows) < params.page_size:
                return
            before = rows

    async def _save(
        self, params: SaveModeData, batch: Sequence[Mapping[str, Any]], results: list[dict[str, Any]]
    ) -> None:
        """Send a batch, record by record if it is refused, and add what became of its records to the results."""
        operator = self._client.user(params.operator)
        document = {"header": self._header(self._now()), "data": batch}
        try:
            answer = await self._call(f"saveOrUpdateModeData/{params.interface}", operator, document, Effect.UPDATE)
            results += results_of(answer, len(batch), params.interface)
        except RemoteRefused as error:
            if len(batch) == 1:
                results.append(_refused(error))
                return
            for one in batch:
                await self._save(params, [one], results)

    async def _call(self, path: str, operator: str, document: Any, effect: Effect) -> Mapping[str, Any]:
        form = {"datajson": _json(document)}
        judge = partial(_check, effect=effect)
        if self._settings.mode_token:
            answer = await self._client.call(
                "POST", _PATH + path, user=operator, effect=effect, form=form, checked=judge
            )
        else:
            answer = await self._client.send("POST", _PATH + path, effect=effect, form=form, check=judge)
        return object_of(answer)

    def _entries(self, params: SaveModeData, now: datetime) -> list[dict[str, Any] | ValueRefused]:
        """The records as the OA wants them; in place of one that must not be sent, why."""
        operation = self._operation(self._client.user(params.operator), now)
        entries: list[dict[str, Any] | ValueRefused] = []
        for number, record in enumerate(params.records, start=1):
            try:
                document = {"operationinfo": operation, **self._document(record)}
                main = document["mainTable"]
                if not main["id"] and (
                    not params.key_fields or any(not main.get(field) for field in params.key_fields)
                ):
                    raise ValueRefused(
                        "记录没有 id，也没有全部关键字段（key_fields）的值：重复发送会重复新增",
                        "The record has neither an id nor a value for every key field (key_fields): sent again, it "
                        "would be added again",
                        where=f"{params.interface}[{number}]",
                    )
                entries.append(document)
            except ValueRefused as error:
                entries.append(error)
        return entries

    def _document(self, record: Mapping[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = {"mainTable": {"id": ""}}
        for to, value in record.items():
            control = record.controls.get(to, _PLAIN) if isinstance(record, MappedForm) else _PLAIN
            name = control.id or to
            try:
                if isinstance(value, list | tuple) and all(isinstance(row, Mapping) for row in value):
                    document[name] = [{"operate": _ACTION, "data": _row(row, control, self._style)} for row in value]
                else:
                    document["mainTable"][name] = _cell(control, value, self._style)
            except ValueRefused as error:
                raise ValueRefused(error.zh, error.en, where=name) from error
        return document

    def _operation(self, operator: str, now: datetime) -> dict[str, str]:
        return {
            "operator": operator,
            "operationDate": now.strftime("%Y-%m-%d"),
            "operationTime": now.strftime("%H:%M:%S"),
        }

    def _header(self, now: datetime) -> dict[str, str]:
        system, password = self._settings.mode_system, self._settings.mode_password.get_secret_value()
        if not system or not password:
            raise BadConnection(
                "连接没有填写建模接口的 systemid 和密码",
                "The connection holds no system id and password for mode data",
                where="mode_system",
            )
        moment = now.strftime("%Y%m%d%H%M%S")
        checksum = hashlib.md5(f"{system}{password}{moment}".encode(), usedforsecurity=False).hexdigest()
        return {"systemid": system, "currentDateTime": moment, "Md5": checksum}

    def _now(self) -> datetime:
        return datetime.now(self._zone)


def _row(row: Mapping[str, Any], table: Control, style: Style) -> dict[str, Any]:
    columns = {child.label: child for child in table.children} | {child.id: child for child in table.children}
    cells = {columns[to].id if to in columns else to: (columns.get(to, _PLAIN), value) for to, value in row.items()}
    return {"id": "", **{name: _cell(control, value, style) for name, (control, value) in cells.items()}}


def _cell(control: Control, value: Any, style: Style) -> Any:
    return "" if is_blank(value) else encode_value(control, value, style)


def _check(response: httpx.Response, *, effect: Effect) -> None:
    """Transport and login only: what the answer says of the records is read afterwards."""
    answer = content_of(response)
    if not response.is_success or not isinstance(answer, Mapping) or "status" not in answer or "code" in answer:
        check(response, effect=effect)


def _refused(error: RemoteRefused) -> dict[str, Any]:
    return {"accepted": False, "id": "", "message": error.remote or error.zh}


def _unsent(error: ValueRefused) -> dict[str, Any]:
    return {"accepted": False, "id": "", "message": error.sentence("zh-CN")}


def _summary(entries: Sequence[dict[str, Any] | ValueRefused], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    records = [
        {"index": index, **result, "values": {} if isinstance(entry, ValueRefused) else dict(entry["mainTable"])}
        for index, (entry, result) in enumerate(zip(entries, results, strict=True))
    ]
    return {
        "records": records,
        "accepted": [record for record in records if record["accepted"]],
        "refused": [record for record in records if not record["accepted"]],
    }


def _json(value: Any) -> str:
    return jsontext.dumps(value).decode()
