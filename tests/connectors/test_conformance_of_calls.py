"""What every kind of connection does with another system that is silent, broken, forged, or answers at last."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiohttp import web

from runtime.connectors.actions import Intent
from runtime.connectors.base import Connector
from runtime.connectors.events import CallbackRequest, Outcome
from runtime.errors import (
    BadConnection,
    CallbackRejected,
    IntegrationError,
    OutcomeUnknown,
    RetryLater,
    Unreachable,
)
from tests.connectors.samples import SAMPLES, SECRET, Open, create_actions, over_http


async def test_an_unreachable_address_is_named(connect: Open, free_port: int) -> None:
    with pytest.raises(Unreachable) as caught:
        await connect(f"http://127.0.0.1:{free_port}").test()
    assert f"127.0.0.1:{free_port}" in str(caught.value)


@over_http
async def test_tls_is_verified_by_default(
    connect: Open, serve: Callable[..., Awaitable[Any]], certificates: Any
) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response({"code": "no", "message": "no"}, status=400)

    context, ca_file = certificates
    server = await serve(refuse, tls=context)
    with pytest.raises(BadConnection, match="证书"):
        await connect(server.url).test()
    assert server.requests == []
    for settings in ({"ca_file": ca_file}, {"verify_tls": False}):
        before = len(server.requests)
        with pytest.raises(IntegrationError):
            await connect(server.url, **settings).test()
        assert len(server.requests) > before


@over_http
async def test_repeats_are_bounded(connect: Open, serve: Callable[..., Awaitable[Any]]) -> None:
    async def fail(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="down")

    server = await serve(fail)
    with pytest.raises(RetryLater):
        await connect(server.url, retries=1).test()
    assert len(server.requests) == 2


@over_http
@pytest.mark.parametrize("fault", ["reset", "html", "truncated", "error500"])
async def test_a_create_without_a_usable_answer_is_unknown_and_sent_once(
    connect: Open, kind: type[Connector[Any]], serve: Callable[..., Awaitable[Any]], fault: str
) -> None:
    sample = SAMPLES[kind.kind]

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path in sample.login:
            response = web.json_response(sample.login[request.path])
            for name, value in sample.cookies.items():
                response.set_cookie(name, value)
            return response
        if request.method == "GET":  # whatever an action reads first
            return web.json_response({"value": []})
        if fault == "reset":
            assert request.transport is not None
            request.transport.abort()
        if fault == "error500":
            return web.Response(status=500, text="oops")
        return web.Response(text="<html>punish</html>" if fault == "html" else '{"instanceId": "', status=200)

    server = await serve(answer)
    connector = connect(server.url)
    assert {action.name for action in create_actions(connector)} == set(sample.creates)
    for name, params in sample.creates.items():
        action = connector.actions[name]
        before = len([path for path in server.paths() if path not in sample.login])
        with pytest.raises(OutcomeUnknown):
            await action.run(action.params.model_validate(params))
        effects = [request for request in server.requests if request.method != "GET"]
        sent = [request.path for request in effects if request.path not in sample.login]
        assert len(sent) - before == 1, name


async def test_callbacks_reject_what_is_not_theirs(connect: Open, kind: type[Connector[Any]]) -> None:
    connector = connect("http://127.0.0.1:1")
    requests = [
        CallbackRequest(method=method, query=query, headers={}, body=body)
        for method in ("GET", "POST")
        for query in ({}, {"signature": "x", "msg_signature": "x", "timestamp": "1", "nonce": "2", "echostr": "x"})
        for body in (b"", b"{}", b'{"encrypt":"AAAA"}', b"\x00\xff", b"<xml/>", b"a" * 2_000_000)
    ]
    for request in requests:
        if kind.has_callback:
            with pytest.raises(CallbackRejected) as caught:
                connector.receive(request)
            assert SECRET not in str(caught.value)
        else:
            with pytest.raises(NotImplementedError):
                connector.receive(request)


async def test_only_a_system_that_answers_is_asked_how_an_approval_ended(
    connect: Open, kind: type[Connector[Any]], free_port: int
) -> None:
    connector = connect(f"http://127.0.0.1:{free_port}", retries=0)
    with pytest.raises(RetryLater if kind.has_polling else NotImplementedError):
        await connector.poll_event("i-1", "FORM")


async def test_a_polled_verdict_is_the_event_that_the_callback_would_have_reported(
    connect: Open, kind: type[Connector[Any]], serve: Callable[..., Awaitable[Any]]
) -> None:
    if not kind.has_polling:
        assert SAMPLES[kind.kind].verdicts == {}
        return
    sample = SAMPLES[kind.kind]
    assert set(sample.verdicts) == {None, *Outcome}
    for outcome, answers in sample.verdicts.items():

        async def answer(request: web.Request, answers: Mapping[str, Any] = answers) -> web.StreamResponse:
            return web.json_response({**sample.login, **answers}[request.path])

        connector = connect((await serve(answer)).url)
        event = await connector.poll_event("i-1", "FORM")
        if outcome is None:
            assert event is None
            continue
        assert event is not None
        assert (event.type, event.instance_id, event.form) == ("approval.finished", "i-1", "FORM")
        assert event.outcome is outcome
        again = await connector.poll_event("i-1", "FORM")
        assert again is not None
        assert again.key == event.key
        json.dumps(dict(event.raw))


async def test_reconciling_against_a_silent_system_finds_nothing_out(connect: Open, free_port: int) -> None:
    from datetime import UTC, datetime

    connector = connect(f"http://127.0.0.1:{free_port}", retries=0)
    for action in create_actions(connector):
        params = action.params.model_validate(SAMPLES[connector.kind].creates[action.name])
        assert action.reconcile is not None
        intent = Intent(started_at=datetime.now(UTC), document_key="1")
        try:
            found = await action.reconcile(params, intent)
        except RetryLater:
            continue
        assert found.finding == "unclear", action.name
