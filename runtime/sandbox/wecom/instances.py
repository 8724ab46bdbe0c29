"""Approvals of WeCom: how they are submitted, how WeCom numbers them, and what may happen after the decision."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from runtime.config import DEFAULT_TIMEZONE
from runtime.sandbox import demo
from runtime.sandbox.oa.approvals import Approval, Approvals, Node, Record, Refusal, Watcher
from runtime.sandbox.storage import Storage
from runtime.sandbox.wecom.errors import WeComError, bad_approval
from runtime.sandbox.wecom.forms import Form
from runtime.sandbox.wecom.values import Known, check_contents

__all__ = ["Instance", "Instances"]

_ZONE = ZoneInfo(DEFAULT_TIMEZONE)
_LONGEST_SUMMARY = 20
#: ``apv_rel`` of a node -> how it is decided; "in turn" is taken as one node after the other.
_RULES = {1: "AND", 2: "OR"}
_APPROVER, _COPY, _HANDLER = 1, 2, 3
_REFUSALS = {
    Refusal.ENDED: "审批已结束",
    Refusal.NOT_WAITING: "该成员没有待处理的审批",
    Refusal.NOT_WITHDRAWABLE: "该审批不允许撤销",
}
#: What happens besides a decision -> ``SpStatus`` afterwards.
_AFTER = {"pay": 10, "revoke": 6, "delete": 7, "urge": 0}


class Instance(Approval, kw_only=True):
    """One approval."""

    template_id: str
    #: As the detail gives them back.
    contents: list[dict[str, Any]]
    summary: list[str]
    #: ``SpStatus`` that came after the decision (paid, withdrawn after agreement, deleted); 0 = none.
    after: int = 0

    @property
    def code(self) -> str:
        """The template id."""
        return self.template_id

    @property
    def sp_status(self) -> int:
        """``SpStatus``."""
        ended = {"agree": 2, "refuse": 3}.get(self.result, 1)
        return self.after or (4 if self.status == "TERMINATED" else ended)


class Instances(Approvals[Instance]):
    """All approvals of the demo company.

    :param forms: the templates by id; deleted ones are missing
    :param media: ids of uploaded files
    :param clock: seconds since the epoch
    :param watcher: told about every change, after it is stored
    """

    def __init__(
        self,
        storage: Storage,
        forms: Mapping[str, Form],
        media: Mapping[str, str],
        clock: Callable[[], float],
        watcher: Watcher[Instance],
    ) -> None:
        super().__init__(storage, "wecom", Instance, clock, watcher)
        self._forms = forms
        self._media = media
        self._numbers = itertools.count(len(self) + 1)

    def submit(self, body: Mapping[str, Any]) -> Instance:
        """Follows "WeCom developer centre, 提交审批申请".

        :param body: the request's JSON
        :raises WeComError: with the documented code; nothing was submitted
        """
        form = self._forms.get(str(body.get("template_id") or ""))
        if form is None:
            raise bad_approval("template_id", "does not exist")
        originator = body.get("creator_userid")
        if not isinstance(originator, str) or originator not in demo.USERS:
            raise WeComError(301055, "creator_userid not in the visible range")
        department = body.get("choose_department", demo.USERS[originator].department)
        if department not in demo.DEPARTMENTS:
            raise bad_approval("choose_department", "does not exist")
        nodes, copies = _flow(body, form)
        data = body.get("apply_data")
        contents = check_contents(
            form,
            data.get("contents") if isinstance(data, Mapping) else None,
            Known(instances=self._all, media=self._media),
        )
        now = self._now()
        number = f"{datetime.fromtimestamp(now / 1000, _ZONE):%Y%m%d}{next(self._numbers):04d}"
        instance = Instance(
            id=number,
            template_id=form.code,
            form_name=form.name,
            title=f"{demo.USERS[originator].name}的{form.name}",
            originator=originator,
            department=department,
            business_id=number,
            created=now,
            contents=contents,
            summary=_summary(body.get("summary_list")),
            nodes=nodes,
            cc=copies,
            records=[Record(originator, now, "START_PROCESS_INSTANCE")],
        )
        self._add(instance)
        return instance

    def after(self, instance: Instance, event: str) -> None:
        """What may happen besides a decision: ``pay``, ``revoke`` (withdrawn after agreement), ``delete``, ``urge``.

        :raises ValueError: there is no such event
        """
        if event not in _AFTER:
            raise ValueError(f"event is one of {', '.join(_AFTER)}")
        instance.after = _AFTER[event] or instance.after
        self._save(instance)
        self._watcher(instance, "instance", event, None)

    def _refusal(self, reason: Refusal) -> WeComError:
        return WeComError(301025, _REFUSALS[reason])


def _flow(body: Mapping[str, Any], form: Form) -> tuple[list[Node], list[str]]:
    """The nodes of the flow, and who gets a copy."""
    if body.get("use_template_approver") == 1:
        if body.get("process") or body.get("approver"):
            raise bad_approval("process", "is not allowed with use_template_approver")
        return [Node("NONE", [form.approver])], []
    nodes: list[Node] = []
    copies: list[str] = []
    process = body.get("process")
    for node in (process.get("node_list") or ()) if isinstance(process, Mapping) else ():
        users, kind, rule = _users(node.get("userid")), node.get("type"), node.get("apv_rel")
        if kind == _COPY:
            copies += users
        elif kind in (_APPROVER, _HANDLER) and rule in (1, 2, 3):
            nodes += [Node("NONE", [user]) for user in users] if rule == 3 else [Node(_RULES[rule], users)]
        else:
            raise bad_approval("process.node_list", "has an unknown type or apv_rel")
    for older in body.get("approver") or ():
        nodes.append(Node("OR" if older.get("attr") == 1 else "AND", _users(older.get("userid"))))
    if not nodes:
        raise bad_approval("process", "has no approver")
    return nodes, copies + _users(body.get("notifyer") or [])


def _users(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(user, str) and user in demo.USERS for user in given):
        raise bad_approval("userid", f"does not exist: {given!r:.80}")
    return given


def _summary(given: Any) -> list[str]:
    lines = given if isinstance(given, list) else []
    if not 1 <= len(lines) <= 3:
        raise bad_approval("summary_list", "needs 1 to 3 lines")
    texts = []
    for line in lines:
        info = line.get("summary_info") if isinstance(line, Mapping) else None
        text = info[0].get("text") if isinstance(info, list) and info else None
        lang = info[0].get("lang") if isinstance(info, list) and info else None
        if not isinstance(text, str) or len(text) > _LONGEST_SUMMARY or lang not in ("zh_CN", "en"):
            raise bad_approval("summary_list", f"has a line without lang or of more than {_LONGEST_SUMMARY} characters")
        texts.append(text)
    return texts
