"""Approval instances: start, read, list, withdraw, comment, and the search for one whose answer was lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from runtime.connectors.actions import Effect, Finding, Intent, Reconciliation, WireRequest
from runtime.connectors.dingtalk.actions import (
    Comment,
    CreateApproval,
    GetApproval,
    ListApprovals,
    TerminateApproval,
)
from runtime.connectors.dingtalk.approvals import read_approval, read_time, same_approval
from runtime.connectors.dingtalk.client import DingTalkClient
from runtime.connectors.dingtalk.directory import Directory
from runtime.connectors.dingtalk.forms import encode_form, named_users
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.connectors.search import MOST_CANDIDATES, search, unclear
from runtime.errors import FormGone, NotFound, RemoteFault, RemoteRefused, ValueRefused

__all__ = ["Instances"]

_INSTANCES = "/v1.0/workflow/processInstances"
_TERMINATE = f"{_INSTANCES}/terminate"
_COMMENTS = f"{_INSTANCES}/comments"
_LIST = "/v1.0/workflow/processes/instanceIds/query"

_PAGE = 20
#: The longest window that the list call is known to search.
_LONGEST_WINDOW = timedelta(days=120)


class Instances:
    """The approval instances of one application."""

    def __init__(self, client: DingTalkClient, directory: Directory, settings: DingTalkSettings) -> None:
        self._client = client
        self._directory = directory
        self._settings = settings

    async def prepare_create(self, params: CreateApproval) -> WireRequest:
        """The request that :meth:`create` sends.

        :raises ValueRefused: a control is unknown, missing or malformed or names somebody whom DingTalk does not know,
            or the department is missing
        """
        request = self._start(params)
        unknown = [
            f"{where}: {user}" for where, user in named_users(params.values) if await self._directory.is_unknown(user)
        ]
        if unknown:
            names = "；".join(unknown)
            raise ValueRefused(f"钉钉里没有这个用户（{names}）", f"There is no such user in DingTalk ({names})")
        return request

    def _start(self, params: CreateApproval) -> WireRequest:
        if params.department is None and not params.approvers:
            raise ValueRefused("没有发起人部门", "The applicant's department is missing", where="department")
        components = encode_form(params.values)
        if params.key_field and all(component["name"] != params.key_field for component in components):
            raise ValueRefused(
                "单据编号控件没有值", "The control of the document's key is empty", where=params.key_field
            )
        body: dict[str, Any] = {"originatorUserId": params.originator, "processCode": params.form}
        if params.department is not None:
            body["deptId"] = params.department
        if self._settings.agent_id is not None:
            body["microappAgentId"] = self._settings.agent_id
        if params.approvers:
            body["approvers"] = [group.model_dump(mode="json", by_alias=True) for group in params.approvers]
        if params.cc:
            body |= {"ccList": list(params.cc), "ccPosition": params.cc_position}
        if params.chosen:
            body["targetSelectActioners"] = [
                {"actionerKey": key, "actionerUserIds": list(users)} for key, users in params.chosen.items()
            ]
        return self._request(_INSTANCES, body | {"formComponentValues": components})

    async def create(self, params: CreateApproval) -> dict[str, Any]:
        """Start an approval (DingTalk open platform, 发起审批实例); the platform knows no idempotency key."""
        request = await self.prepare_create(params)
        try:
            answer = await self._client.call(
                "POST", _INSTANCES, effect=Effect.CREATE, body=request.body, expect="instanceId"
            )
        except FormGone as error:
            error.where = params.form
            raise
        return {"instance_id": str(answer["instanceId"])}

    async def reconcile_create(self, params: CreateApproval, intent: Intent) -> Reconciliation:
        """Search the applicant's approvals since the attempt for one that carries the same values.

        Two documents with the same values look alike: a ``key_field`` tells them apart, and what is recorded for
        another document (``intent.taken``) is left out.
        """
        submitted = self._start(params).body["formComponentValues"]
        margin = timedelta(seconds=self._settings.clock_margin)
        start, end = intent.started_at - margin, datetime.now(UTC) + margin
        if end - start > _LONGEST_WINDOW:
            return unclear("尝试过于久远，钉钉查不到", "The attempt is too old to be searched for in DingTalk")
        candidates = await self._ids(params.form, start, end, originators=(params.originator,), most=MOST_CANDIDATES)

        async def judge(instance_id: str) -> bool | None:
            approval = await self.get(GetApproval(instance_id=instance_id))
            if approval["originator"] not in ("", params.originator):
                return False
            same = same_approval(submitted, approval, key=params.key_field)
            return None if same and not approval["originator"] else same

        return await search(candidates, intent, judge)

    async def get(self, params: GetApproval) -> dict[str, Any]:
        """One instance, normalised as :func:`~runtime.connectors.dingtalk.approvals.read_approval` describes.

        :raises NotFound: no such instance
        """
        answer = await self._client.call(
            "GET", _INSTANCES, params={"processInstanceId": params.instance_id}, expect="result"
        )
        detail = answer["result"]
        if not isinstance(detail, dict):
            raise RemoteFault("钉钉的答复没有审批单", "DingTalk's answer holds no approval", where=params.instance_id)
        return read_approval(params.instance_id, detail)

    async def list_ids(self, params: ListApprovals) -> list[str]:
        """Ids of the instances started in a window."""
        return await self._ids(
            params.form,
            params.start,
            params.end or datetime.now(UTC),
            originators=params.originators,
            statuses=params.statuses,
        )

    async def _ids(
        self,
        form: str,
        start: datetime,
        end: datetime,
        *,
        originators: Sequence[str] = (),
        statuses: Sequence[str] = (),
        most: int | None = None,
    ) -> list[str]:
        """All pages of 获取审批实例ID列表; with ``most``, at most one page more than that."""
        body: dict[str, Any] = {
            "processCode": form,
            "startTime": _milliseconds(start),
            "endTime": _milliseconds(end),
            "maxResults": _PAGE,
        }
        if originators:
            body["userIds"] = list(originators)
        if statuses:
            body["statuses"] = list(statuses)
        ids: dict[str, None] = {}
        token = 0
        while most is None or len(ids) <= most:
            answer = await self._client.call("POST", _LIST, body=body | {"nextToken": token}, expect="result")
            page = answer["result"]
            listed = page.get("list") if isinstance(page, dict) else None
            if not isinstance(listed, list):
                raise RemoteFault("钉钉的答复没有编号列表", "DingTalk's answer holds no list of ids", where=form)
            ids |= dict.fromkeys(str(entry) for entry in listed)
            following = str(page.get("nextToken") or "")
            if following in ("", "0"):
                break
            if not following.isdecimal() or int(following) <= token:
                raise RemoteFault(
                    "钉钉的分页标记无效", "DingTalk's page token makes no sense", where=form, code=following
                )
            token = int(following)
        return list(ids)

    async def prepare_terminate(self, params: TerminateApproval) -> WireRequest:
        """The request that :meth:`terminate` sends."""
        body: dict[str, Any] = {"processInstanceId": params.instance_id, "isSystem": params.operator is None}
        if params.remark:
            body["remark"] = params.remark
        if params.operator is not None:
            body["operatingUserId"] = params.operator
        return self._request(_TERMINATE, body)

    async def terminate(self, params: TerminateApproval) -> dict[str, Any]:
        """Withdraw an instance; one that is withdrawn already stays so, without an error."""
        request = await self.prepare_terminate(params)
        try:
            await self._client.call("POST", _TERMINATE, effect=Effect.UPDATE, body=request.body)
        except NotFound:
            raise
        except RemoteRefused:
            approval = await self.get(GetApproval(instance_id=params.instance_id))
            if approval["status"] != "TERMINATED":
                raise
        return {"instance_id": params.instance_id}

    async def prepare_comment(self, params: Comment) -> WireRequest:
        """The request that :meth:`comment` sends."""
        return self._request(
            _COMMENTS,
            {"processInstanceId": params.instance_id, "text": params.text, "commentUserId": params.user},
        )

    async def comment(self, params: Comment) -> dict[str, Any]:
        """Add a comment to an instance."""
        request = await self.prepare_comment(params)
        await self._client.call("POST", _COMMENTS, effect=Effect.CREATE, body=request.body)
        return {"instance_id": params.instance_id}

    async def reconcile_comment(self, params: Comment, intent: Intent) -> Reconciliation:
        """Look for the comment among the instance's records, which carry a time to the minute."""
        approval = await self.get(GetApproval(instance_id=params.instance_id))
        records = approval["raw"].get("operationRecords")
        if not isinstance(records, list):
            return unclear("审批单没有操作记录", "The approval carries no records")
        earliest = intent.started_at - timedelta(seconds=self._settings.clock_margin + 60)
        for record in records:
            if record.get("userId") != params.user or str(record.get("remark") or "").strip() != params.text.strip():
                continue
            moment = read_time(record.get("date"))
            if moment is None:
                return unclear("有同样的评论，但没有时间", "The same comment is there, but without a time")
            if moment >= earliest:
                return Reconciliation(finding=Finding.FOUND, result={"instance_id": params.instance_id})
        return Reconciliation(finding=Finding.ABSENT)

    def _request(self, path: str, body: dict[str, Any]) -> WireRequest:
        return WireRequest(method="POST", url=self._client.url(path), body=body)


def _milliseconds(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
