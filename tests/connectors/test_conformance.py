"""What every kind of connection owes the rest of the product; each registered kind goes through all of it.

A new kind adds one :class:`Sample`: how to answer its login, and one call of each action that creates something.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr, ValidationError

from runtime.connectors.actions import Action, Effect, Intent, WireRequest
from runtime.connectors.base import Connector
from runtime.connectors.events import CallbackRequest, Outcome
from runtime.connectors.registry import connector_kinds, open_connector, secret_fields
from runtime.connectors.settings import ConnectorSettings, HttpSettings
from runtime.errors import (
    BadConnection,
    CallbackRejected,
    IntegrationError,
    OutcomeUnknown,
    RetryLater,
    Unreachable,
)
from runtime.mapping.forms import Control
from runtime.mapping.mapper import MappedForm

SECRET = "S3cret-that-must-not-show"
KINDS = sorted(connector_kinds())


@dataclass(frozen=True)
class Sample:
    """What the suite has to know about one kind."""

    #: Answers of the calls that open a session, by path.
    login: Mapping[str, Mapping[str, Any]]
    #: Parameters for each action that creates something.
    creates: Mapping[str, Mapping[str, Any]]
    #: Cookies that a login sets.
    cookies: Mapping[str, str] = field(default_factory=dict)
    #: Settings that cannot be made up, by the address of the other system.
    settings: Callable[[str], Mapping[str, Any]] = lambda base_url: {}
    #: Answers, by path, about approval ``i-1`` of form ``FORM`` by how it ended (None = open), where it can be asked.
    verdicts: Mapping[Outcome | None, Mapping[str, Any]] = field(default_factory=dict)


def weaver_request(status: str) -> Mapping[str, Any]:
    return {"/api/workflow/paService/getWorkflowRequest": {"code": "SUCCESS", "data": {"status": status}}}


def weaver_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


WEAVER = {"secret": SECRET, "spk": weaver_key(), "user_id": "1", "outcome_source": "status"}


def dingtalk_detail(status: str, result: str) -> Mapping[str, Any]:
    return {"/v1.0/workflow/processInstances": {"result": {"status": status, "result": result, "title": "t"}}}


def wecom_detail(status: int) -> Mapping[str, Any]:
    return {"/cgi-bin/oa/getapprovaldetail": {"errcode": 0, "info": {"sp_no": "i-1", "sp_status": status}}}


SAMPLES = {
    "b1.service_layer": Sample(
        login={"/b1s/v1/Login": {"SessionId": "s-1", "Version": "1000280", "SessionTimeout": 30}},
        cookies={"B1SESSION": "s-1", "ROUTEID": ".node1"},
        creates={
            "create": {"entity": "Orders", "values": {"CardCode": "C1"}, "match": "NumAtCard eq '1'"},
            "action": {"entity": "Orders", "key": 1, "name": "Close"},
            "save_draft": {"draft": 1},
        },
    ),
    "b1.di_api": Sample(login={"/b1dis/v1/Login": {"SessionId": "s-1"}}, cookies={"B1DISESSION": "s-1"}, creates={}),
    "sql": Sample(
        login={},
        creates={},
        settings=lambda base_url: {
            "url": f"postgresql+psycopg://{base_url.partition('//')[2]}",
            "user": "reader",
            "password": SECRET,
        },
    ),
    "dingtalk": Sample(
        login={"/v1.0/oauth2/accessToken": {"accessToken": "t-1", "expireIn": 7200}},
        creates={
            "create_approval": {"form": "P-1", "values": {"备注": "x"}, "originator": "u1", "department": -1},
            "comment": {"instance_id": "i-1", "text": "x", "user": "u1"},
        },
        verdicts={
            None: dingtalk_detail("RUNNING", ""),
            Outcome.AGREED: dingtalk_detail("COMPLETED", "agree"),
            Outcome.REFUSED: dingtalk_detail("COMPLETED", "refuse"),
            Outcome.WITHDRAWN: dingtalk_detail("TERMINATED", ""),
        },
    ),
    "wecom": Sample(
        login={"/cgi-bin/gettoken": {"errcode": 0, "access_token": "t-1", "expires_in": 7200}},
        creates={
            "create_approval": {
                "form": "T-1",
                "values": MappedForm({"备注": "x"}, {"备注": Control(id="Text-1", label="备注")}),
                "originator": "u1",
            },
        },
        verdicts={
            None: wecom_detail(1),
            Outcome.AGREED: wecom_detail(2),
            Outcome.REFUSED: wecom_detail(3),
            Outcome.WITHDRAWN: wecom_detail(4),
        },
    ),
    "weaver": Sample(
        login={"/api/ec/dev/auth/applytoken": {"code": 0, "token": "t-1", "status": True}},
        settings=lambda _: WEAVER,
        creates={"create_approval": {"form": "45", "values": {"bz": "x"}, "title": "x", "originator": "15"}},
        verdicts={
            None: weaver_request("创建 至 审批"),
            Outcome.AGREED: weaver_request("同意"),
            Outcome.REFUSED: weaver_request("拒绝"),
            Outcome.WITHDRAWN: weaver_request("撤回"),
        },
    ),
}


def required_settings(kind: type[Connector[Any]], base_url: str) -> dict[str, Any]:
    """The least that a kind can be opened with."""
    model = kind.settings_model
    document = dict(SAMPLES[kind.kind].settings(base_url))
    if kind.over_http:
        document["base_url"] = base_url
    for name, info in model.model_fields.items():
        if name in document or not info.is_required():
            continue
        annotation = info.annotation
        if annotation is SecretStr:
            document[name] = SECRET
        elif annotation in (int, float):
            document[name] = 1
        elif get_origin(annotation) is Literal:
            document[name] = get_args(annotation)[0]
        else:
            document[name] = "sample"
    return document


#: For tests of what happens on HTTP: leaves out the kinds that do not speak it.
over_http = pytest.mark.parametrize(
    "kind", [name for name, kind in sorted(connector_kinds().items()) if kind.over_http], indirect=True
)
Open = Callable[..., Connector[Any]]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> type[Connector[Any]]:
    return connector_kinds()[request.param]


@pytest.fixture
async def connect(kind: type[Connector[Any]]) -> AsyncIterator[Open]:
    """``connect(url, **settings)`` opens a connection of the kind under test."""
    opened: list[Connector[Any]] = []

    def make(base_url: str, **settings: Any) -> Connector[Any]:
        chosen = {"retries": 1, "rate": 1000.0, "timeout": 5.0} | settings
        fitting = {name: value for name, value in chosen.items() if name in kind.settings_model.model_fields}
        opened.append(open_connector("probe", {"kind": kind.kind, **required_settings(kind, base_url), **fitting}))
        return opened[-1]

    yield make
    for connector in opened:
        await connector.aclose()


def create_actions(connector: Connector[Any]) -> list[Action]:
    return [action for action in connector.actions.values() if action.effect is Effect.CREATE]


def test_settings_describe_themselves(kind: type[Connector[Any]]) -> None:
    assert issubclass(kind.settings_model, ConnectorSettings)
    assert kind.title_zh
    assert kind.title_en
    for name, info in kind.settings_model.model_fields.items():
        assert info.title, name
        assert info.description, name
    assert kind.settings_model.model_config["extra"] == "forbid"
    assert issubclass(kind.settings_model, HttpSettings) is kind.over_http
    if kind.over_http:
        assert kind.settings_model.model_fields["verify_tls"].default is True


def test_secrets_are_typed_as_secrets(kind: type[Connector[Any]]) -> None:
    secrets = secret_fields(kind.kind)
    for name in kind.settings_model.model_fields:
        if any(word in name for word in ("password", "secret", "aes_key")):
            assert name in secrets
    assert all(issubclass(kind.settings_model, ConnectorSettings) for _ in secrets)


async def test_secrets_never_show(connect: Open, serve: Callable[..., Awaitable[Any]]) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(status=400, text=request.query_string + (await request.read()).decode())

    connector = connect((await serve(echo)).url)
    assert SECRET not in repr(connector.settings) + str(connector.settings) + repr(connector)
    with pytest.raises(IntegrationError) as caught:
        await connector.test()
    assert SECRET not in str(caught.value) + repr(caught.value) + caught.value.remote


async def test_actions_say_what_they_do(connect: Open) -> None:
    connector = connect("http://127.0.0.1:1")
    assert connector.actions
    for name, action in connector.actions.items():
        assert action.name == name
        assert action.zh
        assert action.en
        assert action.params.model_config["extra"] == "forbid", name
        assert (action.prepare is None) == (action.effect is Effect.READ), name
        assert (action.reconcile is None) == (action.effect is not Effect.CREATE), name
        with pytest.raises(ValidationError, match="no_such_parameter"):
            action.params.model_validate({"no_such_parameter": 1})
        assert action.params.model_json_schema()["type"] == "object"


async def test_preparing_sends_nothing_and_shows_json(connect: Open, free_port: int) -> None:
    connector = connect(f"http://127.0.0.1:{free_port}")
    for action in create_actions(connector):
        assert action.prepare is not None
        prepared = await action.prepare(action.params.model_validate(SAMPLES[connector.kind].creates[action.name]))
        assert isinstance(prepared, WireRequest)
        assert prepared.url.startswith(f"http://127.0.0.1:{free_port}/")
        assert SECRET not in json.dumps(prepared.body) + str(dict(prepared.headers)) + prepared.url


async def test_an_unreachable_address_is_named(connect: Open, free_port: int) -> None:
    with pytest.raises(Unreachable) as caught:
        await connect(f"http://127.0.0.1:{free_port}").test()
    assert f"127.0.0.1:{free_port}" in str(caught.value)


def test_wrong_settings_are_named_and_not_shown(kind: type[Connector[Any]]) -> None:
    good = {"kind": kind.kind, **required_settings(kind, "http://127.0.0.1:1")}
    for name, info in kind.settings_model.model_fields.items():
        if info.is_required():
            with pytest.raises(BadConnection, match=name):
                open_connector("probe", {key: value for key, value in good.items() if key != name})
    place = "base_url" if kind.over_http else "url"
    changes: list[tuple[dict[str, Any], str]] = [
        ({f"{place}l": "http://127.0.0.1"}, place),
        ({place: f"nonsense-{SECRET}"}, place),
        ({place: f"{str(good[place]).partition(':')[0]}://user:{SECRET}@host"}, place),
        ({"timeout": f"{SECRET}"}, "timeout"),
    ]
    if kind.over_http:
        changes += [({"retries": -1}, "retries"), ({"ca_file": "/nowhere/ca.pem"}, "ca_file")]
    for change, name in changes:
        with pytest.raises(BadConnection, match=name) as caught:
            open_connector("probe", good | change)
        assert SECRET not in str(caught.value)


def test_secrets_come_from_the_environment(kind: type[Connector[Any]]) -> None:
    good = {"kind": kind.kind, **required_settings(kind, "http://127.0.0.1:1")}
    names = [name for name in secret_fields(kind.kind) if name in good]
    for name in names:
        changed = good | {name: {"env": "PROBE_SECRET"}}
        connector = open_connector("probe", changed, environ={"PROBE_SECRET": "from-environment"})
        assert getattr(connector.settings, name).get_secret_value() == "from-environment"
        with pytest.raises(BadConnection, match="PROBE_SECRET") as caught:
            open_connector("probe", changed, environ={})
        assert caught.value.where == f"probe.{name}"
        with pytest.raises(BadConnection, match=name):
            open_connector("probe", good | {name: {"enw": "PROBE_SECRET"}}, environ={})


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


async def test_a_stream_is_opened_only_where_the_settings_ask_for_one(
    connect: Open, kind: type[Connector[Any]], free_port: int
) -> None:
    address = f"http://127.0.0.1:{free_port}"
    assert connect(address).event_stream() is None
    if not kind.has_stream:
        return
    stream = connect(address, retries=0, event_mode="stream").event_stream()
    assert stream is not None
    assert stream.pause > 0
    with pytest.raises(RetryLater):
        async with stream.open():
            raise AssertionError("it opened")


async def test_forms_are_offered_only_where_there_are_some(connect: Open, kind: type[Connector[Any]]) -> None:
    connector = connect("http://127.0.0.1:1", retries=0)
    with pytest.raises(IntegrationError if kind.has_forms else NotImplementedError):
        await connector.fetch_form("FORM")


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


def test_every_kind_has_a_sample() -> None:
    assert set(KINDS) <= set(SAMPLES)
