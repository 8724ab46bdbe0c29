"""The mode engine (建模): interfaces that save and list records, with a login of their own.

Follows "e-cology 9, 建模接口". Builds answer differently: :attr:`ModeEngine.shape` switches between the known ways.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from runtime import jsontext
from runtime.config import DEFAULT_TIMEZONE
from runtime.sandbox import demo
from runtime.sandbox.storage import Storage

__all__ = ["INTERFACES", "Interface", "ModeEngine", "Shape"]

_COLLECTION = "weaver.mode"
_ZONE = ZoneInfo(DEFAULT_TIMEZONE)
#: Seconds by which a client's clock may differ.
_SKEW = 600

#: ``text``: ``datajson`` is JSON text with a billid per record; ``object``: it is an object; ``datas``: a list with a
#: status per record; ``plain``: one word for all of them.
Shape = Literal["text", "object", "datas", "plain"]


class Interface(msgspec.Struct, frozen=True):
    """One 接口标识: which columns there are, which must be filled, and which tell a record from the others."""

    name: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    keys: tuple[str, ...]
    details: tuple[str, ...] = ()


#: Items and customers of the demo.
INTERFACES = {
    one.name: one
    for one in (
        Interface(
            "saveItem", ("wlbm", "wlmc", "ggxh", "jldw", "ck", "sfyx"), required=("wlbm", "wlmc"), keys=("wlbm",)
        ),
        Interface(
            "saveCustomer",
            ("khbm", "khmc", "lxr", "dh", "bz"),
            required=("khbm",),
            keys=("khbm",),
            details=("detail1",),
        ),
    )
}


class ModeEngine:
    """The demo company's mode data.

    :param clock: seconds since the epoch
    """

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock
        #: (interface, id) → record.
        self.records: dict[tuple[str, int], dict[str, Any]] = storage.load(_COLLECTION)
        self.shape: Shape = "text"
        #: One bad record makes the whole call fail, and nothing of it is saved.
        self.all_or_nothing = False

    def answer(self, call: str, name: str, document: str | None) -> dict[str, Any]:
        """The answer of one call.

        :param call: ``saveOrUpdateModeData`` or ``getModeDataPageList``
        :param document: ``datajson``
        """
        try:
            asked = jsontext.loads(document or "")
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            return _failed("datajson格式错误")
        problem = self._login(asked.get("header"))
        interface = INTERFACES.get(name)
        if problem or interface is None:
            return _failed(problem or f"接口标识不存在：{name}")
        return self._save(interface, asked) if call == "saveOrUpdateModeData" else self._list(interface, asked)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Every record of an interface, oldest first."""
        return [record for (owner, _), record in sorted(self.records.items()) if owner == name]

    def _login(self, header: Any) -> str:
        if not isinstance(header, Mapping) or header.get("systemid") != demo.WEAVER_MODE_SYSTEM:
            return "系统标识不存在"
        moment = str(header.get("currentDateTime"))
        try:
            said = datetime.strptime(moment, "%Y%m%d%H%M%S").replace(tzinfo=_ZONE).timestamp()
        except ValueError:
            return "currentDateTime格式错误"
        wanted = hashlib.md5(
            f"{demo.WEAVER_MODE_SYSTEM}{demo.WEAVER_MODE_PASSWORD}{moment}".encode(), usedforsecurity=False
        ).hexdigest()
        if not hmac.compare_digest(wanted, str(header.get("Md5"))):
            return "Md5校验失败"
        return "请求已过期" if abs(said - self._clock()) > _SKEW else ""

    def _save(self, interface: Interface, asked: Mapping[str, Any]) -> dict[str, Any]:
        given = asked.get("data")
        if not isinstance(given, list) or not given:
            return _failed("data不能为空")
        problems = [_problem(interface, entry) for entry in given]
        if self.all_or_nothing and any(problems):
            return _failed("；".join(filter(None, problems)))
        results = [
            (0, problem) if problem else (self._keep(interface, entry), "")
            for entry, problem in zip(given, problems, strict=True)
        ]
        return self._results(results)

    def _results(self, results: list[tuple[int, str]]) -> dict[str, Any]:
        failed = [problem for _, problem in results if problem]
        head = {"status": "1", "result": "；".join(failed) or "成功"}
        match self.shape:
            case "datas":
                rows = [
                    {"id": str(number), "status": "0" if problem else "1", "message": problem}
                    for number, problem in results
                ]
                return {**head, "datas": rows}
            case "plain":
                return {"status": "fail" if failed else "success", "result": head["result"]}
        data = {
            "data": [{"billid": str(number) if number else "-1", "message": problem} for number, problem in results]
        }
        return {**head, "datajson": data if self.shape == "object" else jsontext.dumps(data).decode()}

    def _keep(self, interface: Interface, entry: Mapping[str, Any]) -> int:
        main = {name: value for name, value in entry["mainTable"].items() if name != "id"}
        given = str(entry["mainTable"].get("id") or "")
        same = [
            number
            for (owner, number), record in self.records.items()
            if owner == interface.name
            and (str(number) == given if given else all(record.get(key) == main.get(key) for key in interface.keys))
        ]
        number = same[0] if same else max((number for _, number in self.records), default=0) + 1
        details = {name: [row.get("data") for row in entry[name]] for name in interface.details if name in entry}
        record = {**self.records.get((interface.name, number), {}), **main, **details, "id": str(number)}
        self.records[interface.name, number] = record
        self._storage.put(_COLLECTION, (interface.name, number), record)
        return number

    def _list(self, interface: Interface, asked: Mapping[str, Any]) -> dict[str, Any]:
        info, wanted = asked.get("pageInfo") or {}, asked.get("mainTable") or {}
        page, size = int(info.get("pageNo", "1")), int(info.get("pageSize", "10"))
        rows = [
            {name: value for name, value in record.items() if name not in interface.details}
            for record in self.rows(interface.name)
            if all(str(record.get(name, "")) == str(value) for name, value in wanted.items())
        ]
        shown = rows[(page - 1) * size : page * size]
        return {"status": "1", "result": [{"mainTable": row} for row in shown]}


def _problem(interface: Interface, entry: Any) -> str:
    main = entry.get("mainTable") if isinstance(entry, Mapping) else None
    if not isinstance(main, Mapping) or not isinstance(entry.get("operationinfo"), Mapping):
        return "缺少mainTable或operationinfo"
    unknown = sorted(set(main) - {*interface.columns, "id"})
    if unknown:
        return f"字段不存在：{','.join(unknown)}"
    missing = [name for name in interface.required if not main.get(name)]
    return f"必填字段为空：{','.join(missing)}" if missing else ""


def _failed(reason: str) -> dict[str, Any]:
    return {"status": "fail", "result": reason}
