"""Approvals: submit, read, list, and the search for one whose answer was lost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runtime.connectors.actions import Effect, Intent, Reconciliation, WireRequest
from runtime.connectors.search import MOST_CANDIDATES, search, unclear
from runtime.connectors.wecom.actions import CreateApproval, GetApproval, ListApprovals
from runtime.connectors.wecom.approvals import read_approval, same_approval
from runtime.connectors.wecom.client import BAD_APPROVAL, UNREADABLE, WeComClient
from runtime.connectors.wecom.forms import encode_form, parse_form, resolve
from runtime.connectors.wecom.reading import read_value
from runtime.connectors.wecom.settings import WeComSettings
from runtime.errors import FormGone, NotFound, RemoteFault, RemoteRefused, ValueRefused
from runtime.mapping.forms import Control, Form
from runtime.mapping.mapper import MappedForm

__all__ = ["Instances"]

_TEMPLATE = "oa/gettemplatedetail"
_SUBMIT = "oa/applyevent"
_DETAIL = "oa/getapprovaldetail"
_LIST = "oa/getapprovalinfo"

_PAGE = 100
#: The longest window that the list call searches.
_WINDOW = timedelta(days=31)
#: An unanswered attempt of before that is for a person to find.
_OLDEST = timedelta(days=124)
_LONGEST_SUMMARY = 20
_SUMMARY_LINES = 3
#: Seconds for which a template is taken as it was, where a mapping keeps no snapshot of it.
_KEEP_TEMPLATE = 60.0
_NODE_TYPES = {"approver": 1, "cc": 2, "handler": 3}
_RULES = {"all": 1, "any": 2, "in_turn": 3}


class Instances:
    """The approvals of one company, as far as the application may see them."""

    def __init__(self, client: WeComClient, settings: WeComSettings) -> None:
        self._client = client
        self._settings = settings
        self._templates: dict[str, tuple[Form, float]] = {}

    async def form(self, code: str) -> Form:
        """The template (WeCom developer centre, 获取审批模板详情).

        :raises FormGone: unknown template id, or the template was deleted
        """
        try:
            form = parse_form(code, await self._client.call(_TEMPLATE, {"template_id": code}))
        except RemoteRefused as error:
            if error.code not in (BAD_APPROVAL, UNREADABLE):
                raise
            raise FormGone(
                "审批模板不存在或已删除",
                "The approval template does not exist or was deleted",
                where=code,
                code=error.code,
                remote=error.remote,
            ) from error
        self._templates[code] = form, time.monotonic()
        return form

    async def prepare_create(self, params: CreateApproval) -> WireRequest:
        """The request that :meth:`create` sends. Without a snapshot of the template in the values it is read first.

        :raises ValueRefused: a control is unknown, missing or malformed
        """
        controls = await self._controls(params)
        contents = encode_form(params.values, controls, self._settings.zone)
        self._key_control(params, controls, contents)
        body: dict[str, Any] = {
            "creator_userid": params.originator,
            "template_id": params.form,
            "use_template_approver": 0 if params.approvers else 1,
        }
        if params.department is not None:
            body["choose_department"] = params.department
        body |= self._flow(params)
        body["apply_data"] = {"contents": contents}
        lines = [line for line in params.summary if line.strip()] or self._summary(contents, controls)
        body["summary_list"] = [
            {"summary_info": [{"text": line[:_LONGEST_SUMMARY], "lang": "zh_CN"}]} for line in lines
        ]
        return self._request(_SUBMIT, body)

    async def create(self, params: CreateApproval) -> dict[str, Any]:
        """Submit an approval (WeCom developer centre, 提交审批申请); the platform knows no idempotency key."""
        request = await self.prepare_create(params)
        answer = await self._client.call(_SUBMIT, request.body, effect=Effect.CREATE, expect="sp_no")
        return {"instance_id": str(answer["sp_no"])}

    async def reconcile_create(self, params: CreateApproval, intent: Intent) -> Reconciliation:
        """Search the applicant's approvals since the attempt for one that carries the same values.

        Two documents with the same values look alike: a ``key_field`` tells them apart, and what is recorded for
        another document (``intent.taken``) is left out.
        """
        controls = await self._controls(params)
        zone = self._settings.zone
        contents = encode_form(params.values, controls, zone)
        key = self._key_control(params, controls, contents)
        margin = timedelta(seconds=self._settings.clock_margin)
        start, end = intent.started_at - margin, datetime.now(UTC) + margin
        if end - start > _OLDEST:
            return unclear("尝试过于久远，无法在企业微信中查找", "The attempt is too old to be searched for in WeCom")
        filters = {"template_id": params.form, "creator": params.originator}
        candidates = await self._numbers(filters, start, end, most=MOST_CANDIDATES)

        async def judge(instance_id: str) -> bool | None:
            approval = await self.get(GetApproval(instance_id=instance_id))
            if approval["originator"] not in ("", params.originator):
                return False
            same = same_approval(contents, approval, zone, key=key)
            return None if same and not approval["originator"] else same

        return await search(candidates, intent, judge)

    async def get(self, params: GetApproval) -> dict[str, Any]:
        """One approval, normalised as :func:`~runtime.connectors.wecom.approvals.read_approval` describes.

        :raises NotFound: no such approval
        """
        number = params.instance_id
        try:
            answer = await self._client.call(_DETAIL, {"sp_no": number}, expect="info")
        except RemoteRefused as error:
            if error.code not in (BAD_APPROVAL, UNREADABLE):
                raise
            raise NotFound(
                "审批单不存在", "The approval does not exist", where=number, code=error.code, remote=error.remote
            ) from error
        if not isinstance(answer["info"], dict):
            raise RemoteFault("企业微信的答复没有审批单", "WeCom's answer holds no approval", where=number)
        return read_approval(number, answer["info"], self._settings.zone)

    async def list_ids(self, params: ListApprovals) -> list[str]:
        """Numbers of the approvals submitted in a window."""
        filters = {"template_id": params.form}
        if params.originator is not None:
            filters["creator"] = params.originator
        if params.status is not None:
            filters["sp_status"] = str(params.status)
        return await self._numbers(filters, _aware(params.start), _aware(params.end or datetime.now(UTC)))

    async def _controls(self, params: CreateApproval) -> Mapping[str, Control]:
        """Target as written → control, from the mapping's snapshot of the template or from the template itself."""
        values = params.values
        known = values.controls if isinstance(values, MappedForm) else {}
        # a mapping without a snapshot knows its targets by what they are called, and nothing else
        if known and all(control.id != control.label for control in known.values()):
            return known
        form, read_at = self._templates.get(params.form, (None, 0.0))
        if form is None or time.monotonic() - read_at > _KEEP_TEMPLATE:
            form = await self.form(params.form)
        return resolve(values, form)

    def _key_control(
        self, params: CreateApproval, controls: Mapping[str, Control], contents: list[dict[str, Any]]
    ) -> str:
        """Id of the control that carries the document's key, or ``""``."""
        wanted = params.key_field
        if not wanted:
            return ""
        found = next((one.id for one in controls.values() if wanted in (one.id, one.label)), "")
        if all(content["id"] != found for content in contents):
            raise ValueRefused("单据编号控件没有值", "The control of the document's key is empty", where=wanted)
        return found

    def _flow(self, params: CreateApproval) -> dict[str, Any]:
        if not params.approvers:
            if params.cc:
                raise ValueRefused(
                    "按模板流程审批时，抄送人由模板决定",
                    "Where the template's flow is followed, the template says who gets a copy",
                    where="cc",
                )
            return {}
        if self._settings.flow_parameters == "approver":
            older: dict[str, Any] = {
                "approver": [
                    {"attr": 1 if node.rule == "any" else 2, "userid": list(node.users)} for node in params.approvers
                ]
            }
            return older | ({"notifyer": list(params.cc), "notify_type": 1} if params.cc else {})
        nodes: list[dict[str, Any]] = [
            {"type": _NODE_TYPES[node.type], "apv_rel": _RULES[node.rule], "userid": list(node.users)}
            for node in params.approvers
        ]
        if params.cc:
            nodes.append({"type": _NODE_TYPES["cc"], "userid": list(params.cc)})
        return {"process": {"node_list": nodes}}

    def _summary(self, contents: list[dict[str, Any]], controls: Mapping[str, Control]) -> list[str]:
        """The first values, as WeCom itself shows them in the list of approvals; one line at least, which it wants."""
        known = {control.id: control for control in controls.values()}
        lines, tables = [], []
        for content in contents:
            control = known[content["id"]]
            text = read_value(content["control"], content["value"], self._settings.zone)
            for option in control.options:  # what is submitted is the key, what is read is the label
                text = option.label if text == option.key else text
            if content["control"] == "Table":
                tables.append(f"{control.label}：{len(content['value']['children'])} 行")
            elif text:
                lines.append(f"{control.label}：{' '.join(text.split())}")
        return (lines or tables)[:_SUMMARY_LINES]

    async def _numbers(
        self, filters: Mapping[str, str], start: datetime, end: datetime, *, most: int | None = None
    ) -> list[str]:
        """All pages of 批量获取审批单号, window by window; with ``most``, at most one page more than that."""
        numbers: dict[str, None] = {}
        while start <= end and (most is None or len(numbers) <= most):
            until = min(start + _WINDOW - timedelta(seconds=1), end)
            body: dict[str, Any] = {
                "starttime": str(int(start.timestamp())),
                "endtime": str(int(until.timestamp())),
                "size": _PAGE,
                "filters": [{"key": key, "value": value} for key, value in filters.items()],
            }
            cursor = ""
            seen = set()
            while most is None or len(numbers) <= most:
                answer = await self._client.call(_LIST, body | {"new_cursor": cursor})
                listed = answer.get("sp_no_list")
                if listed is not None and not isinstance(listed, list):
                    raise RemoteFault(
                        "企业微信的答复没有单号列表", "WeCom's answer holds no list of numbers", where=_LIST
                    )
                numbers |= dict.fromkeys(str(entry) for entry in listed or ())
                cursor = str(answer.get("new_next_cursor") or "")
                if not cursor:
                    break
                if cursor in seen:
                    raise RemoteFault(
                        "企业微信的分页标记无效", "WeCom's page cursor makes no sense", where=_LIST, code=cursor
                    )
                seen.add(cursor)
            start = until + timedelta(seconds=1)
        return list(numbers)

    def _request(self, path: str, body: dict[str, Any]) -> WireRequest:
        return WireRequest(method="POST", url=self._client.url(path), body=body)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
