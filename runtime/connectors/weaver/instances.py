"""Workflow requests: start one, read one, and the search for one whose answer was lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from runtime import jsontext
from runtime.connectors.actions import Effect, Finding, Intent, Reconciliation, WireRequest
from runtime.connectors.weaver.actions import CreateApproval, GetApproval
from runtime.connectors.weaver.answers import check_created, data_of, request_id
from runtime.connectors.weaver.approvals import read_approval, read_time, same_approval
from runtime.connectors.weaver.client import WeaverClient
from runtime.connectors.weaver.forms import encode_form
from runtime.connectors.weaver.settings import WeaverSettings
from runtime.connectors.weaver.values import style_of
from runtime.errors import BadConnection, NotFound, RemoteRefused, ValueRefused
from runtime.jsontext import object_of

__all__ = ["Instances"]

_SERVICE = "/api/workflow/paService/"
_CREATE = f"{_SERVICE}doCreateRequest"
_REQUEST = f"{_SERVICE}getWorkflowRequest"
_PAGE = 100
#: An unanswered attempt among more requests than this is for a person to find.
_MOST_PAGES = 30


class _NoList(Exception):
    """This build does not offer the list, or says something else there."""


class Instances:
    """The requests of one e-cology, as one application sees them."""

    def __init__(self, client: WeaverClient, settings: WeaverSettings) -> None:
        self._client = client
        self._settings = settings
        self._style = style_of(settings)
        self._zone = ZoneInfo(settings.timezone)

    async def prepare_create(self, params: CreateApproval) -> WireRequest:
        """The request that :meth:`create` sends; its nested values are JSON text in the fields of a form.

        :raises ValueRefused: a field is unknown, missing or malformed
        """
        main, details = encode_form(params.values, self._style, params.date_fields)
        if params.key_field and all(field["fieldName"] != params.key_field for field in main):
            raise ValueRefused("单据编号字段没有值", "The field of the document's key is empty", where=params.key_field)
        other = {"isnextflow": int(self._submits(params)), "delReqFlowFaild": int(self._deletes(params))}
        body = {
            "workflowId": params.form,
            "requestName": params.title,
            "requestLevel": params.level,
            "remark": params.remark,
            "mainData": _json(main),
            "detailData": _json(details),
            "otherParams": _json(other),
        }
        return WireRequest(method="POST", url=self._client.url(_CREATE), body=body)

    async def create(self, params: CreateApproval) -> dict[str, Any]:
        """Start a request (e-cology 9, 流程接口 doCreateRequest); the platform knows no idempotency key.

        :raises OutcomeUnknown: also where it was created and could not be submitted, and was not to be deleted then
        """
        request = await self.prepare_create(params)
        user = self._client.user(params.originator)
        answer = await self._client.call(
            "POST",
            _CREATE,
            user=user,
            effect=Effect.CREATE,
            form=request.body,
            checked=partial(check_created, user=user, deleted=self._deletes(params)),
        )
        return {"instance_id": request_id(answer)}

    async def reconcile_create(self, params: CreateApproval, intent: Intent) -> Reconciliation:
        """Search the applicant's own requests since the attempt for one that carries the same values.

        Two documents with the same values look alike: a ``key_field`` tells them apart, and what is recorded for
        another document (``intent.taken``) is left out. Not being in the list proves that nothing was created only
        where the settings say that the list is complete.
        """
        main, details = encode_form(params.values, self._style, params.date_fields)
        user = self._client.user(params.originator)
        await self._client.token()
        try:
            candidates, whole = await self._since(params, intent, user)
        except _NoList:
            return _unclear("此 OA 没有可用于核对的流程列表", "This OA offers no list of requests to search")
        same: list[str] = []
        doubtful: list[str] = []
        for number in (candidate for candidate in candidates if candidate not in intent.taken):
            try:
                approval = await self.read(number, user)
            except RemoteRefused:  # deleted between the two calls, or not for these eyes
                doubtful.append(number)
                continue
            verdict = same_approval(main, details, approval, key=params.key_field)
            if verdict is not False:
                (same if verdict else doubtful).append(number)
        if len(same) == 1 and not doubtful and (whole or params.key_field):
            return Reconciliation(finding=Finding.FOUND, result={"instance_id": same[0]})
        if same or doubtful:
            ids = ", ".join(same + doubtful)
            return _unclear(
                f"可能已创建为以下流程之一，但无法确定：{ids}",
                f"It may have become one of these requests, but that is not certain: {ids}",
            )
        if whole and self._settings.absent == "resend":
            return Reconciliation(finding=Finding.ABSENT)
        return _unclear(
            f"在用户 {user} 发起的流程中没有找到，但不能据此断定没有创建",
            f"Not found among the requests of user {user}, which does not prove that it was not created",
        )

    async def get(self, params: GetApproval) -> dict[str, Any]:
        """See :meth:`read`."""
        return await self.read(params.instance_id, params.user)

    async def read(self, number: str, user: str = "") -> dict[str, Any]:
        """One request, as :func:`~runtime.connectors.weaver.approvals.read_approval` describes.

        :param user: who looks; empty = the connection's user
        :raises NotFound: no such request
        """
        answer = await self._client.call("GET", _REQUEST, user=user, params={"requestId": number})
        if not object_of(data_of(answer)):
            raise NotFound("流程不存在", "The request does not exist", where=number)
        return read_approval(number, answer, self._settings)

    async def _since(self, params: CreateApproval, intent: Intent, user: str) -> tuple[list[str], bool]:
        """Requests of this workflow that may stem from the attempt, and whether the whole list was seen.

        :raises _NoList: there is no such list
        """
        if not self._settings.search_list:
            raise _NoList
        earliest = intent.started_at - timedelta(seconds=self._settings.clock_margin)
        seen: dict[str, Mapping[str, Any]] = {}
        whole = False
        for page in range(1, _MOST_PAGES + 1):
            rows = await self._page(user, page)
            fresh = {number: row for row in rows if (number := request_id(row)) and number not in seen}
            seen |= fresh
            # The end is an empty page: a build may give fewer rows than asked for, or the same ones again. One that
            # gives more than asked for knows no pages and gave all of them.
            whole = not rows or (len(rows) > _PAGE and not fresh)
            if not fresh:
                break
        found = []
        for number, row in seen.items():
            workflow = str(object_of(row.get("workflowBaseInfo")).get("workflowId") or row.get("workflowId") or "")
            created = read_time(row.get("createTime"), self._zone)
            if workflow in ("", params.form) and (created is None or created >= earliest):
                found.append(number)
        return found, whole

    async def _page(self, user: str, page: int) -> list[Mapping[str, Any]]:
        # Both pairs of names are in use, by build.
        form = {"page": str(page), "size": str(_PAGE), "pageNo": str(page), "pageSize": str(_PAGE)}
        try:
            answer = await self._client.call("POST", _SERVICE + self._settings.search_list, user=user, form=form)
        except (RemoteRefused, BadConnection) as error:
            raise _NoList from error
        rows = data_of(answer)
        if isinstance(rows, Mapping):
            rows = next((value for value in rows.values() if isinstance(value, list)), None)
        if not isinstance(rows, list):
            raise _NoList
        return [row for row in rows if isinstance(row, Mapping)]

    def _submits(self, params: CreateApproval) -> bool:
        return self._settings.submit if params.submit is None else params.submit

    def _deletes(self, params: CreateApproval) -> bool:
        return self._settings.delete_failed if params.delete_failed is None else params.delete_failed


def _json(value: Any) -> str:
    return jsontext.dumps(value).decode()


def _unclear(zh: str, en: str) -> Reconciliation:
    return Reconciliation(finding=Finding.UNCLEAR, reason_zh=zh, reason_en=en)
