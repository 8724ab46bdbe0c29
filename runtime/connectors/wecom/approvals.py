"""An approval as WeCom reports it, in our words; and whether it is the one that a request asked for.

WeCom developer centre, 获取审批申请详情. Decisions stand in ``sp_record`` (older tenants) or in ``process_list``; both
are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from runtime.connectors.compare import all_same, same_rows, same_value
from runtime.connectors.events import Outcome
from runtime.connectors.wecom.reading import chinese_text, comparable, list_in, mapping_in, read_value

__all__ = ["Status", "outcome_of", "read_approval", "read_status", "read_time", "same_approval"]


class Status(IntEnum):
    """``SpStatus`` of an approval."""

    RUNNING = 1
    AGREED = 2
    REFUSED = 3
    WITHDRAWN = 4
    WITHDRAWN_AFTER_AGREEMENT = 6
    DELETED = 7
    PAID = 10


_OUTCOMES = {
    Status.AGREED: Outcome.AGREED,
    Status.PAID: Outcome.AGREED,
    Status.REFUSED: Outcome.REFUSED,
    Status.WITHDRAWN: Outcome.WITHDRAWN,
    Status.WITHDRAWN_AFTER_AGREEMENT: Outcome.WITHDRAWN,
}
#: ``sp_status`` of one person's part.
_AGREED, _REFUSED = 2, 3
#: Agreed while adding another approver (UNCONFIRMED).
_AGREED_AND_ADDED = 13
#: ``node_type`` of people who only get a copy.
_COPY = 2


@dataclass(frozen=True)
class _Part:
    """What one person did."""

    user: str
    status: int
    speech: str
    #: Seconds since 1970, 0 = not yet.
    at: int
    #: Empty unless the answer tells it.
    name: str = ""

    @property
    def agreed(self) -> bool:
        return self.status in (_AGREED, _AGREED_AND_ADDED)

    @property
    def refused(self) -> bool:
        return self.status == _REFUSED


def read_status(value: Any) -> Status | None:
    """A documented status, or None."""
    number = _number(value)
    return Status(number) if number in set(Status) else None


def outcome_of(status: Status | None) -> Outcome | None:
    """How an approval of this status ended; None while it is open, and for one that was deleted."""
    return _OUTCOMES.get(status) if status is not None else None


def read_approval(instance_id: str, info: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """The approval, normalised.

    :returns: ``instance_id``, ``form``, ``title``, ``status`` (``RUNNING``, ``AGREED``, ``DELETED`` …), ``outcome``
        (``agreed``, ``refused``, ``withdrawn`` or None), ``originator``, ``approver`` (user id of who decided last, or
        ``""``), ``approvers`` (everybody who decided, in order), ``pass`` and ``fail`` (user ids of who agreed and who
        refused, joined by ``,``), ``remarks`` (``who: remark`` joined by ``; ``), ``marks`` (``who:remark`` joined by
        ``;``), ``people`` (everybody who decided or said something, in order: ``user``, ``name`` where the answer tells
        it, ``outcome`` = ``agreed``, ``refused`` or ``""``, ``words``), ``created_at``, ``decided_at`` and
        ``finished_at`` (UTC, or None), ``values`` (title to text), ``tables`` (title to rows of title to text) and
        ``raw``
    """
    status = read_status(info.get("sp_status"))
    parts = sorted(_parts(info), key=lambda part: part.at or float("inf"))
    decided = [part for part in parts if part.agreed or part.refused]
    comments = list(_comments(info))
    said = [(part.user, part.speech) for part in [*parts, *comments] if part.speech]
    last = max((part.at for part in decided), default=0)
    outcome = outcome_of(status)
    contents = list_in(mapping_in(info.get("apply_data")).get("contents"))
    values, tables = _read_contents(contents, zone)
    applicant = mapping_in(info.get("applyer") or info.get("applier"))
    return {
        "instance_id": instance_id,
        "form": str(info.get("template_id") or ""),
        "title": str(info.get("sp_name") or ""),
        "status": status.name if status is not None else str(info.get("sp_status") or ""),
        "outcome": outcome,
        "originator": str(applicant.get("userid") or ""),
        "approver": decided[-1].user if decided else "",
        "approvers": list(dict.fromkeys(part.user for part in decided)),
        "pass": ",".join(dict.fromkeys(part.user for part in decided if part.agreed)),
        "fail": ",".join(dict.fromkeys(part.user for part in decided if part.refused)),
        "remarks": "; ".join(f"{user}: {speech}" for user, speech in said),
        "marks": ";".join(f"{user}:{speech}" for user, speech in said),
        "people": _people([*parts, *comments], _names(contents)),
        "created_at": read_time(info.get("apply_time")),
        "decided_at": read_time(last),
        "finished_at": read_time(last) if outcome is not None else None,
        "values": values,
        "tables": tables,
        "raw": dict(info),
    }


def read_time(value: Any) -> datetime | None:
    """Seconds since 1970, as number or text; UTC. 0 is no time."""
    seconds = _number(value)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _parts(info: Mapping[str, Any]) -> list[_Part]:
    """Every approver's part, from ``process_list`` where decisions stand there, else from ``sp_record``."""
    newer = list(_process_parts(info))
    return newer if any(part.agreed or part.refused for part in newer) else list(_record_parts(info)) or newer


def _process_parts(info: Mapping[str, Any]) -> Iterator[_Part]:
    for node in list_in(mapping_in(info.get("process_list")).get("node_list")):
        if _number(node.get("node_type")) == _COPY:
            continue
        for person in list_in(node.get("sub_node_list")):
            status = _number(person.get("sp_yj")) or _number(person.get("sp_status"))
            yield _part(person, status, person)


def _record_parts(info: Mapping[str, Any]) -> Iterator[_Part]:
    for record in list_in(info.get("sp_record")):
        for person in list_in(record.get("details")):
            yield _part(mapping_in(person.get("approver")), _number(person.get("sp_status")), person)


def _part(who: Mapping[str, Any], status: int, person: Mapping[str, Any]) -> _Part:
    at, speech = _number(person.get("sptime")), _speech(person.get("speech"))
    return _Part(user=str(who.get("userid") or ""), name=_speech(who.get("name")), status=status, speech=speech, at=at)


def _comments(info: Mapping[str, Any]) -> Iterator[_Part]:
    for comment in list_in(info.get("comments")):
        who, text = mapping_in(comment.get("commentUserInfo")), _speech(comment.get("commentcontent"))
        if text:
            user, at = str(who.get("userid") or ""), _number(comment.get("commenttime"))
            yield _Part(user=user, name=_speech(who.get("name")), status=0, speech=text, at=at)


def _people(parts: Sequence[_Part], names: Mapping[str, str]) -> list[dict[str, str]]:
    """What each person did, by who did it first."""
    people: dict[str, dict[str, str]] = {}
    for part in parts:
        outcome = Outcome.AGREED.value if part.agreed else Outcome.REFUSED.value if part.refused else ""
        if not part.user or not (outcome or part.speech):
            continue
        blank = {"user": part.user, "name": names.get(part.user, ""), "outcome": "", "words": ""}
        person = people.setdefault(part.user, blank)
        person["name"] = part.name or person["name"]
        person["outcome"] = outcome or person["outcome"]
        person["words"] = "; ".join(text for text in (person["words"], part.speech) if text)
    return list(people.values())


def _names(contents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """User id → name, as far as the controls of the form name members."""
    cells = [cell for content in contents for cell in (content, *chain.from_iterable(_rows(content)))]
    members = chain.from_iterable(list_in(mapping_in(cell.get("value")).get("members")) for cell in cells)
    return {str(member.get("userid") or ""): _speech(member.get("name")) for member in members}


def _speech(value: Any) -> str:
    return str(value or "").strip()


def _read_contents(
    contents: Sequence[Mapping[str, Any]], zone: ZoneInfo
) -> tuple[dict[str, str], dict[str, list[dict[str, str]]]]:
    values: dict[str, str] = {}
    tables: dict[str, list[dict[str, str]]] = {}
    for content in contents:
        control = str(content.get("control") or "")
        if control == "Table":
            tables[_title(content)] = [
                {_title(cell): read_value(str(cell.get("control") or ""), cell.get("value"), zone) for cell in row}
                for row in _rows(content)
            ]
        elif control != "Tips":
            values[_title(content)] = read_value(control, content.get("value"), zone)
    return values, tables


def _title(content: Mapping[str, Any]) -> str:
    return chinese_text(content.get("title")) or str(content.get("id") or "")


def _rows(content: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    return [list_in(row.get("list")) for row in list_in(mapping_in(content.get("value")).get("children"))]


def same_approval(
    submitted: Sequence[Mapping[str, Any]], returned: Mapping[str, Any], zone: ZoneInfo, *, key: str = ""
) -> bool | None:
    """Whether an approval carries the values that were submitted.

    :param submitted: ``apply_data.contents`` of the request
    :param returned: the approval, as :func:`read_approval` gives it
    :param key: id of a control that alone identifies the document
    :returns: None when nothing could be compared for certain
    """
    there = {
        str(content.get("id") or ""): content
        for content in list_in(mapping_in(returned["raw"].get("apply_data")).get("contents"))
    }
    if key:
        wanted, found = (
            next((_comparable(content, zone) for content in contents if content.get("id") == key), "").strip()
            for contents in (submitted, there.values())
        )
        if wanted and found:
            return True if wanted == found else False if same_value(wanted, found) is False else None
        return None
    return all_same(_same_content(content, there.get(content["id"]), zone) for content in submitted)


def _same_content(here: Mapping[str, Any], there: Mapping[str, Any] | None, zone: ZoneInfo) -> bool | None:
    if there is None:
        return None
    if here["control"] != "Table":
        return same_value(_comparable(here, zone), _comparable(there, zone))
    submitted, returned = (
        [{str(cell.get("id") or ""): _comparable(cell, zone) for cell in row} for row in _rows(content)]
        for content in (here, there)
    )
    return same_rows([{name: cell for name, cell in row.items() if cell} for row in submitted], returned)


def _comparable(content: Mapping[str, Any], zone: ZoneInfo) -> str:
    return comparable(str(content.get("control") or ""), content.get("value"), zone)


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
