"""``/flows/{path}``: flows that another program calls and that answer at once, always in JSON."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from runtime import jsontext
from runtime.engine.context import choice_scope
from runtime.engine.request import RunRequest
from runtime.errors import (
    BadMapping,
    FixData,
    IntegrationError,
    MappingFailed,
    RequestRejected,
    RetryLater,
    SecretsLocked,
)
from runtime.mapping.choosing import chosen_here
from runtime.mapping.models import Flow, Mapping
from runtime.service.answering import answer_of_failure, answer_of_refusal, answer_of_run, described
from runtime.service.body import read_body
from runtime.service.dispatcher import Dispatcher
from runtime.service.idempotency import Idempotency, Outcome, request_key, unnamed_key
from runtime.service.live import LiveMappings
from runtime.service.metrics import Metrics
from runtime.service.reports import Reports
from runtime.service.requests import reported_event
from runtime.store.answers import StoredAnswer
from runtime.store.appcodes import AppCodes

__all__ = ["ANSWER_LIMIT", "BODY_LIMIT", "HttpFlows"]

log = structlog.get_logger(__name__)

#: Bytes; a document with hundreds of lines is well below.
BODY_LIMIT = 5_000_000
#: Bytes of an answer; a query of the ten thousand rows that a step may hold is well below.
ANSWER_LIMIT = 20_000_000
_APPCODE = "x-apig-appcode"
#: In the names of headers that a mapping never sees, and that are not stored: they carry credentials, ours or those of
#: a gateway between.
_PRIVATE = re.compile(r"authorization|cookie|app-?code|token|secret|password|api-?key")
#: Seconds after which a caller should try once more.
_AGAIN_AFTER = "60"
#: Stands for addresses that do not exist: what a stranger makes up must not become a label.
_NO_FLOW = "(none)"


class HttpFlows:
    """Finds the flow of an address, checks the caller's AppCode, carries the flow out, answers."""

    def __init__(
        self,
        *,
        live: LiveMappings,
        dispatcher: Dispatcher,
        codes: AppCodes,
        idempotency: Idempotency,
        reports: Reports,
        metrics: Metrics,
    ) -> None:
        self._live = live
        self._dispatcher = dispatcher
        self._codes = codes
        self._idempotency = idempotency
        self._reports = reports
        self._metrics = metrics
        self._flows: dict[str, tuple[Mapping, str]] = {}
        #: Addresses that two flows claim: the first one (by mapping id) has it.
        self.problems: dict[str, BadMapping] = {}
        self.update()
        live.on_change(self.update)

    def update(self) -> None:
        """Read the addresses of the mappings in force."""
        flows: dict[str, tuple[Mapping, str]] = {}
        self.problems = {}
        # What is reported to a mapping that is switched off is stored and waits; nobody else gets in there.
        switched_off = (found for found in self._live.flows(enabled=False) if found[2].trigger.event_role)
        for mapping, name, flow in (*self._live.flows(), *switched_off):
            if flow.trigger.http is None:
                continue
            path = mapping.http_path(name)
            if path in flows and not mapping.enabled:
                continue
            if path in flows:
                owner, other = flows[path]
                self.problems[f"{mapping.id}/{name}"] = BadMapping(
                    f"地址 /flows/{path} 已被 {owner.id}/{other} 使用",
                    f"The address /flows/{path} belongs to {owner.id}/{other} already",
                    where=f"{mapping.id}/{name}",
                )
                log.error("address used twice", path=path, first=f"{owner.id}/{other}", second=f"{mapping.id}/{name}")
                continue
            flows[path] = (mapping, name)
        self._flows = flows

    async def answer(self, request: Request) -> Response:
        """Answer one call; never without an answer, never anything but JSON."""
        path = request.path_params["path"]
        label = path if path in self._flows else _NO_FLOW
        try:
            response = await self._answer(request, path)
        except RequestRejected as error:
            response = _error(error, error.status)
        except IntegrationError as error:
            response = _error(error, _status_of(error))
        except Exception:
            log.exception("flow broke down", path=label)
            response = _error(IntegrationError("运行时内部错误", "Internal error of the runtime"), 500)
        self._metrics.requests.labels(path=label, status=str(response.status_code)).inc()
        return response

    async def _answer(self, request: Request, path: str) -> Response:
        code = request.headers.get(_APPCODE, "")
        found = self._flows.get(path)
        if found is None:
            raise await self._no_address(code)
        mapping, name = found
        if not code or not await asyncio.to_thread(self._codes.accepts, mapping.id, name, code):
            log.warning("caller refused", path=path, given=bool(code))
            raise RequestRejected(
                "缺少 AppCode 或 AppCode 不正确（请求头 X-Apig-AppCode）",
                "The AppCode is missing or wrong (header X-Apig-AppCode)",
                status=401,
            )
        asked: dict[str, Any] = {
            "method": request.method,
            "path": path,
            "query": dict(request.query_params),
            "headers": {key: value for key, value in request.headers.items() if not _PRIVATE.search(key)},
            "body": None,
        }
        try:
            _check_method(mapping.flows[name], request.method)
            asked["body"] = await _json_body(request)
            return await self._carry_out(mapping, name, asked)
        except RequestRejected as error:
            answer = answer_of_refusal(mapping, name, asked, error)
            return _json(answer.body, answer.status, {**answer.headers, **_closing(answer.status)})
        except IntegrationError as error:
            return _respond(answer_of_failure(mapping, name, asked, error))

    async def _no_address(self, code: str) -> RequestRejected:
        """Of a mapping that was never good in this life of the runtime neither the addresses are known, nor what is
        reported to them: whoever has the AppCode of one is to come again, to all others there is nothing here."""
        broken = self._live.without_good_version
        with suppress(SecretsLocked):
            known = await asyncio.to_thread(self._codes.open_any, broken, code)
            if known:
                log.warning("caller of a broken mapping is told to come again", mappings=broken)
                return RequestRejected(
                    "该 AppCode 所属的映射文件有错误、无法加载，请求没有保存；映射修复后请重发",
                    "The mapping of this AppCode cannot be loaded because its file is wrong; the request was not kept, "
                    "send it again once the mapping is repaired",
                    status=503,
                )
        return RequestRejected("没有这个地址", "There is no such address", status=404)

    async def _carry_out(self, mapping: Mapping, name: str, asked: dict[str, Any]) -> Response:
        given = asked["body"] if isinstance(asked["body"], dict) else {}
        connections = chosen_here(mapping, name, choice_scope(mapping, input=given, request=asked))
        key = request_key(mapping, name, asked, connections=connections)
        event = reported_event(mapping, name, asked)
        if event is not None:
            named = key is not None
            key = key or unnamed_key(mapping, name, asked, prefix=event.key)
            answer, known = await self._reports.answer(mapping, name, asked, event, key, named=named)
            return _respond(answer, replayed=known)

        async def carry_out() -> Outcome:
            place = key.place if key is not None else ""
            request = RunRequest(cause="http", request=asked, input=given, document_key=place)
            return answer_of_run(mapping, name, await self._dispatcher.run(mapping, name, request))

        if key is None:
            return _respond((await carry_out()).answer)
        answer, known = await self._idempotency.once(key, carry_out, correctable=True)
        return _respond(answer, replayed=known)


def _check_method(flow: Flow, method: str) -> None:
    allowed = flow.trigger.http.methods if flow.trigger.http else ()
    if method not in allowed:
        names = ", ".join(allowed)
        raise RequestRejected(f"请用 {names} 方法", f"Use the method {names}", where=method, status=405)


async def _json_body(request: Request) -> Any:
    content = await read_body(request, BODY_LIMIT)
    if not content.strip():
        return None
    try:
        return jsontext.loads(content)
    except ValueError as error:
        raise RequestRejected(
            f"请求内容不是 JSON（{error}）", f"The request's body is not JSON ({error})", where="body", status=400
        ) from None


def _respond(answer: StoredAnswer, *, replayed: bool = False) -> Response:
    """The answer.

    :raises MappingFailed: it is larger than :data:`ANSWER_LIMIT`
    """
    again = {"Idempotent-Replayed": "true"} if replayed else {}
    response = _json(answer.body, answer.status, {**answer.headers, **again})
    if len(response.body) > ANSWER_LIMIT:
        raise MappingFailed(
            f"答复有 {len(response.body):,} 字节，超过 {ANSWER_LIMIT:,} 字节；请缩小查询范围，或分页查询",
            f"The answer has {len(response.body):,} bytes, more than {ANSWER_LIMIT:,}; ask for less, or page by page",
        )
    return response


def _error(error: IntegrationError, status: int) -> Response:
    again = {"Retry-After": _AGAIN_AFTER} if status == 503 else {}
    return _json({"error": described(error)}, status, {**_closing(status), **again})


def _closing(status: int) -> dict[str, str]:
    # A body that was not read to its end must not be taken for the next request.
    return {"Connection": "close"} if status in (401, 405, 408, 413) else {}


def _status_of(error: IntegrationError) -> int:
    if isinstance(error, FixData):
        return 422
    return 503 if isinstance(error, RetryLater) else 500


def _json(body: Any, status: int, headers: dict[str, str]) -> Response:
    return Response(jsontext.dumps(body), status_code=status, headers=headers, media_type="application/json")
