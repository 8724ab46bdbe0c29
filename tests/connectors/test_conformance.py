"""What every kind of connection owes the rest of the product: what it says of itself, its settings and its actions.

A new kind adds one :class:`~tests.connectors.samples.Sample`: how to answer its login, and one call of each action that
creates something.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from runtime.connectors.actions import Effect, WireRequest
from runtime.connectors.base import Connector
from runtime.connectors.registry import open_connector, secret_fields
from runtime.connectors.settings import ConnectorSettings, HttpSettings
from runtime.errors import (
    BadConnection,
    IntegrationError,
    RetryLater,
)
from tests.connectors.samples import KINDS, SAMPLES, SECRET, Open, create_actions, required_settings


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


def test_every_kind_has_a_sample() -> None:
    assert set(KINDS) <= set(SAMPLES)
