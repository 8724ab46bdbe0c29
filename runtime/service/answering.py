"""What the caller of an HTTP flow is told: the flow's own answer, or what its trigger says of a failure."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import replace
from typing import Any

from runtime.engine.request import RunSummary
from runtime.engine.steps import answer_of, error_variable
from runtime.errors import IntegrationError, RequestRejected
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import HttpTrigger, Mapping, Response
from runtime.service.idempotency import Outcome
from runtime.store.answers import StoredAnswer

__all__ = ["answer_of_failure", "answer_of_refusal", "answer_of_run", "answer_of_storing", "described"]


def answer_of_run(mapping: Mapping, flow: str, summary: RunSummary) -> Outcome:
    """What to answer. Only the answer of a flow that came to its end stands for good: after a fault the same request
    is carried out again, from where it broke off.

    :raises IntegrationError: the flow gave no answer, and it failed; with ``on_error`` also where only a document did
    """
    ok = summary.state == "succeeded"
    if summary.response is not None:
        answer = _stored(summary.response)
    elif summary.error is not None:
        raise summary.error
    elif summary.problem is not None and _trigger(mapping, flow).on_error is not None:
        raise summary.problem
    else:
        counts = {name: getattr(summary, name) for name in ("total", "done", "failed", "skipped", "unknown")}
        body: dict[str, Any] = {"run": summary.run_id, "state": summary.state, **counts}
        if summary.problem is not None:
            body["error"] = described(summary.problem)
        answer = StoredAnswer(status=200 if ok else 500, headers={}, body=body)
    return Outcome(answer=answer, final=ok)


def answer_of_failure(
    mapping: Mapping, flow: str, asked: AnyMapping[str, Any], error: IntegrationError, *, repeats: bool = False
) -> StoredAnswer:
    """What a flow that failed answers: as its trigger says, else in the product's own form.

    :param asked: the variable ``request``
    :param repeats: the runtime carries the request out again by itself
    :raises IntegrationError: the trigger says nothing, or what it says cannot be worked out
    """
    wanted = _trigger(mapping, flow).on_error
    if wanted is None:
        raise error
    known = {"request": asked, "error": {**error_variable(error), "repeats": repeats}}
    return _worked_out(mapping, wanted, known, f"{mapping.id}/{flow} trigger.http.on_error")


def answer_of_refusal(mapping: Mapping, flow: str, asked: AnyMapping[str, Any], error: RequestRejected) -> StoredAnswer:
    """What a caller with the AppCode is answered whose request is not served: as the trigger says of failures, with the
    status that tells why.

    :param asked: the variable ``request``; its body is None if it could not be read
    :raises RequestRejected: the trigger says nothing, or what it says cannot be worked out for such a request
    """
    try:
        answer = answer_of_failure(mapping, flow, asked, error)
    except IntegrationError:
        raise error from None
    return replace(answer, status=error.status)


def answer_of_storing(mapping: Mapping, flow: str, asked: AnyMapping[str, Any]) -> StoredAnswer:
    """What is answered to a report that is stored and not carried out yet.

    :raises IntegrationError: what the trigger says cannot be worked out
    """
    wanted = _trigger(mapping, flow).on_stored
    if wanted is None:
        return StoredAnswer(status=202, headers={}, body={"state": "stored"})
    return _worked_out(mapping, wanted, {"request": asked}, f"{mapping.id}/{flow} trigger.http.on_stored")


def described(error: IntegrationError) -> dict[str, str]:
    """An error as an object of the answer."""
    return {
        "type": type(error).__name__,
        "message": error.sentence("zh-CN"),
        "message_en": error.sentence("en"),
        "where": error.where,
        "code": error.code,
        "remote": error.remote,
    }


def _trigger(mapping: Mapping, flow: str) -> HttpTrigger:
    return mapping.flows[flow].trigger.http or HttpTrigger()


def _worked_out(mapping: Mapping, wanted: Response, known: AnyMapping[str, Any], where: str) -> StoredAnswer:
    scope = {"settings": mapping.settings, **known}
    status, body, headers = (
        compile_value(part, where=where)(scope) for part in (wanted.status, wanted.body, wanted.headers)
    )
    return _stored(answer_of(status, body, headers, where))


def _stored(response: Response) -> StoredAnswer:
    return StoredAnswer(status=int(response.status), headers=dict(response.headers), body=response.body)
