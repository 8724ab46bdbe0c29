"""B1's own approval procedure: decide a draft's request, add the approved draft.

SAP Business One Service Layer API reference, ``ApprovalRequests`` and ``DraftsService_SaveDraftToDocument``. Adding
the document deletes the request and closes the draft.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import SecretStr

from runtime.connectors.actions import Effect, Finding, Intent, Reconciliation, WireRequest
from runtime.connectors.b1_service_layer.actions import Decide, Find, Query, SaveDraft
from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.b1_service_layer.odata import key_path
from runtime.connectors.b1_service_layer.reading import Reading
from runtime.connectors.b1_service_layer.writing import Writing, unclear
from runtime.errors import (
    BadConnection,
    Conflict,
    IntegrationError,
    NotFound,
    OutcomeUnknown,
    RemoteRefused,
    TimedOut,
)

__all__ = ["Approvals"]

#: UTF-16 units that ``Remarks`` holds; one more and B1 refuses the whole decision.
_REMARKS = 200
_HIDDEN = "••••••"
_PENDING = "arsPending"
#: Statuses of a request that say the same as a decision.
_AGREED = frozenset({"arsApproved", "arsGenerated", "arsGeneratedByAuthorizer"})
_REFUSED = frozenset({"arsNotApproved"})


#: How often a decision is sent that B1 does not answer.
_ATTEMPTS = 3


class _Pending(NamedTuple):
    code: int
    stage: Any


class Approvals:
    """Decisions on approval requests, and what becomes of the draft."""

    def __init__(self, client: ServiceLayer, reading: Reading, writing: Writing) -> None:
        self._client = client
        self._reading = reading
        self._writing = writing

    async def prepare_decide(self, params: Decide) -> WireRequest:
        """PATCH of the pending request, the password hidden; only the look-up where it is decided already."""
        pending = await self._pending(params)
        if pending is None:
            return WireRequest(method="GET", url=self._client.url("ApprovalRequests", _of_draft(params.draft)))
        return self._decision(params, pending, SecretStr(_HIDDEN))

    async def decide(self, params: Decide) -> dict[str, Any]:
        """Decide; nothing happens if the same decision stands already.

        With ``all_stages`` the stages that follow are decided too. A request may need decisions at several stages, so
        a decision whose answer was lost is not sent again before a look at the request shows that it still waits at
        the same stage.

        :returns: ``{"draft": 73918, "status": "ardApproved", "changed": True}``
        :raises NotFound: the draft has no approval request
        :raises Conflict: the request is decided the other way, or cancelled
        :raises BadConnection: no password is kept for this approver
        :raises TimedOut: B1 gave no usable answer, and the request still waits
        :raises IntegrationError: ``partly_done`` where a stage was decided before
        """
        pending = await self._pending(params)
        done = {"draft": params.draft, "status": _status(params), "changed": pending is not None}
        decided = False
        try:
            while pending is not None:
                await self._decide_stage(params, pending)
                decided = True
                pending = await self._following(params, pending) if params.all_stages else None
        except IntegrationError as error:
            error.partly_done |= decided
            raise
        return done

    async def _following(self, params: Decide, decided: _Pending) -> _Pending | None:
        """The next stage to decide, or None if that was the last one."""
        following = await self._pending(params)
        if following == decided:
            raise Conflict(
                "当前审批阶段还需要其他审批人同意",
                "The current approval stage needs the decision of further approvers",
                where=f"{self._client.name} Drafts({params.draft})",
                remote=f"ApprovalRequests({decided.code}) CurrentStage {decided.stage}",
            )
        return following

    async def _decide_stage(self, params: Decide, pending: _Pending) -> None:
        request = self._decision(params, pending, self._client.settings.approver_password)
        for _ in range(_ATTEMPTS):
            try:
                await self._client.write(request, Effect.CREATE)
                return
            except (OutcomeUnknown, RemoteRefused) as error:
                if await self._pending(params) != pending:
                    return
                if isinstance(error, RemoteRefused):
                    raise
                lost = error
        raise TimedOut(
            "B1 没有答复审批决定，申请仍待审批",
            "B1 did not answer the decision, and the request still waits",
            where=lost.where,
            code=lost.code,
            remote=lost.remote,
        ) from lost

    async def prepare_save(self, params: SaveDraft) -> WireRequest:
        """POST of the draft's number to the drafts service."""
        return WireRequest(
            method="POST",
            url=self._client.url("DraftsService_SaveDraftToDocument"),
            body={"Document": {"DocEntry": params.draft}},
        )

    async def save(self, params: SaveDraft) -> dict[str, Any]:
        """Add the draft as a document; B1 does not say which."""
        await self._client.write(await self.prepare_save(params), Effect.CREATE)
        return {"draft": params.draft}

    async def reconcile_save(self, params: SaveDraft, intent: Intent) -> Reconciliation:
        """A draft that was added is closed; B1 adds no draft twice."""
        try:
            if await self._draft_closed(params.draft):
                return Reconciliation(finding=Finding.FOUND, result={"draft": params.draft})
        except NotFound:
            return unclear("草稿已不存在", "the draft no longer exists")
        return Reconciliation(finding=Finding.ABSENT)

    async def _pending(self, params: Decide) -> _Pending | None:
        """The request to decide, or None if it is decided this way already."""
        where = f"{self._client.name} Drafts({params.draft})"
        query = Query(entity="ApprovalRequests", filter=_of_draft(params.draft)["$filter"])
        requests = [row async for row in await self._reading.query(query)]
        pending = [row for row in requests if row.get("Status") == _PENDING]
        if pending:
            return _Pending(int(pending[-1]["Code"]), pending[-1].get("CurrentStage"))
        status = str(requests[-1].get("Status")) if requests else await self._without_request(params.draft, where)
        if status in (_AGREED if params.approved else _REFUSED):
            return None
        raise Conflict(
            "审批请求已有不同的结果", "The approval request already ended differently", where=where, remote=status
        )

    async def _without_request(self, draft: int, where: str) -> str:
        """A closed draft without a request was approved and added."""
        if await self._draft_closed(draft):
            return "arsGenerated"
        raise NotFound("该草稿没有审批请求", "The draft has no approval request", where=where)

    async def _draft_closed(self, draft: int) -> bool:
        """Drafts of stock transfers are a set of their own; both sets share their numbers."""
        for entity in ("Drafts", "StockTransferDrafts"):
            row = await self._reading.find(Find(entity=entity, key=draft, select=("DocEntry", "DocumentStatus")))
            if row is not None:
                return row.get("DocumentStatus") == "bost_Close"
        where = f"{self._client.name} Drafts({draft})"
        raise NotFound("没有这张草稿", "There is no such draft", where=where)

    def _decision(self, params: Decide, pending: _Pending, password: SecretStr) -> WireRequest:
        decision = {"Status": _status(params)}
        remarks = _cut(params.remarks or "")
        if remarks:
            decision["Remarks"] = remarks
        approver = self._approver(params.approver)
        if approver:
            decision |= {"ApproverUserName": approver, "ApproverPassword": password.get_secret_value()}
        return WireRequest(
            method="PATCH",
            url=self._client.url(key_path("ApprovalRequests", pending.code)),
            body={"ApprovalRequestDecisions": [decision]},
        )

    def _approver(self, wanted: str | None) -> str:
        """User to decide as; empty = whoever the session belongs to."""
        settings = self._client.settings
        if not wanted:
            return settings.approver_user
        if wanted == settings.approver_user:
            return wanted
        if wanted == settings.user:
            return ""
        raise BadConnection(
            f"连接中没有审批用户 {wanted} 的密码",
            f"The connection holds no password for the approver {wanted}",
            where=f"{self._client.name}.approver_user",
        )


def _of_draft(draft: int) -> dict[str, str]:
    return {"$filter": f"DraftEntry eq {draft}"}


def _status(params: Decide) -> str:
    return "ardApproved" if params.approved else "ardNotApproved"


def _cut(text: str) -> str:
    return text.encode("utf-16-le")[: 2 * _REMARKS].decode("utf-16-le", "ignore")
