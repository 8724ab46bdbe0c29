"""What the mode engine's answers say of the records; they differ by build, and every known shape is read.

e-cology 9, 建模接口 saveOrUpdateModeData and getModeDataPageList.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime import jsontext
from runtime.errors import RemoteFault, RemoteRefused
from runtime.mapping.values import is_blank

__all__ = ["require_good", "results_of", "rows_of"]

_GOOD = {"1", "success", "true"}


def require_good(answer: Mapping[str, Any]) -> None:
    if not _is_good(answer.get("status")):
        raise RemoteRefused(
            "OA 拒绝了建模数据",
            "The OA refused the mode data",
            code=str(answer.get("status") or ""),
            remote=_message(answer),
        )


def results_of(answer: Mapping[str, Any], count: int, where: str) -> list[dict[str, Any]]:
    """One result per record.

    :raises RemoteRefused: the whole batch is refused
    :raises RemoteFault: which records were accepted cannot be told
    """
    rows = rows_of(answer)
    if rows is None or (not rows and not _is_good(answer.get("status"))):
        require_good(answer)
        rows = []
    if not rows:
        return [{"accepted": True, "id": "", "message": ""}] * count
    if len(rows) != count:
        require_good(answer)
        raise RemoteFault(
            "OA 的答复与记录数不符，无法判断哪些已保存",
            "The OA's answer does not match the number of records: which were saved cannot be told",
            where=where,
        )
    return [_result(row, answer) for row in rows]


def _result(row: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    number = next((str(row[name]) for name in ("billid", "billId", "id") if not is_blank(row.get(name))), "")
    said = next(
        (row[name] for name in ("status", "code", "result") if isinstance(row.get(name), str | int | bool)), None
    )
    known = number not in ("", "-1", "0") if said is None else _is_good(said)
    accepted = known and (said is not None or _is_good(answer.get("status")))
    return {"accepted": accepted, "id": number, "message": "" if accepted else _message(row) or _message(answer)}


def rows_of(answer: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """The rows of an answer: a list under ``datajson``, ``datas``, ``data`` or ``result``, as such or as JSON text."""
    for name in ("datajson", "datas", "data", "result"):
        value = _parsed(answer.get(name))
        if isinstance(value, list) and all(isinstance(row, Mapping) for row in value):
            return value
        if isinstance(value, Mapping) and (inner := rows_of(value)) is not None:
            return inner
    return None


def _parsed(value: Any) -> Any:
    """A value, or what stands in it as JSON text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return jsontext.loads(value)
        except ValueError:
            return None
    return value


def _is_good(status: Any) -> bool:
    return str(status).strip().lower() in _GOOD


def _message(part: Mapping[str, Any]) -> str:
    for name in ("result", "message", "msg", "errmsg", "errMsg"):
        value = part.get(name)
        if isinstance(value, str) and value:
            return value
    return ""
