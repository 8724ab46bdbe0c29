"""Which kinds of connection there are, and how a stored connection becomes a live one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from runtime.connectors.base import Connector
from runtime.connectors.settings import ConnectorSettings
from runtime.errors import BadConnection

__all__ = ["check_settings", "connector_kind", "connector_kinds", "open_connector", "secret_fields"]

#: Installed packages add kinds of their own under this entry point group; each entry names a :class:`Connector` class.
_GROUP = "b1_integration.connectors"

#: Kind → package and class. A kind is loaded when a connection of it is met: what a company lacks weighs nothing.
_BUILT_IN = {
    "b1.service_layer": ("b1_service_layer", "ServiceLayerConnector"),
    "b1.di_api": ("b1_di_api", "DiApiConnector"),
    "sql": ("sql", "SqlConnector"),
    "dingtalk": ("dingtalk", "DingTalkConnector"),
    "wecom": ("wecom", "WeComConnector"),
    "weaver": ("weaver", "WeaverConnector"),
}

_FAULTS = {
    "missing": ("缺少此项", "is missing"),
    "extra_forbidden": ("没有这个设置项", "is not a setting of this kind"),
    "string_too_short": ("不能为空", "must not be empty"),
}


def connector_kinds() -> dict[str, type[Connector[Any]]]:
    """Every kind by name: the built-in ones and those of installed packages.

    :raises BadConnection: an installed package's connector cannot be loaded, or takes a name that is taken
    """
    return {name: _built_in(name) for name in _BUILT_IN} | _installed()


def connector_kind(kind: str) -> type[Connector[Any]] | None:
    """One kind, or None if there is no such kind.

    :raises BadConnection: see :func:`connector_kinds`
    """
    return _built_in(kind) if kind in _BUILT_IN else _installed().get(kind)


def secret_fields(kind: str) -> frozenset[str]:
    """Names of a kind's secret settings.

    :raises BadConnection: there is no such kind
    """
    return _secrets(_kind(kind, "").settings_model)


def open_connector(
    name: str, document: Mapping[str, Any], *, environ: Mapping[str, str] = os.environ
) -> Connector[Any]:
    """A live connection from one entry of ``connections.json``. Call it inside a running event loop.

    :param document: ``kind`` and the kind's settings; a secret may be ``{"env": "NAME"}``
    :param environ: where such secrets are looked up
    :raises BadConnection: names each setting that is missing, unknown or wrong; never shows a value
    """
    settings = dict(document)
    kind = _kind(settings.pop("kind", None), name)
    for field in sorted(_secrets(kind.settings_model) & settings.keys()):
        value = settings[field]
        if isinstance(value, Mapping):
            settings[field] = _from_environment(value, environ, f"{name}.{field}")
    try:
        checked = kind.settings_model.model_validate(settings)
    except ValidationError as error:
        raise _bad_settings(name, kind.settings_model, _faults(error)) from None  # its text would show the values
    return kind(name, checked)


def check_settings(name: str, document: Mapping[str, Any]) -> None:
    """Judge one entry of ``connections.json`` before it is stored.

    A secret that is left out may be stored already, and one that is ``{"env": "NAME"}`` is known only where it is used:
    neither is missing here.

    :raises BadConnection: names each setting that is missing, unknown or wrong; never shows a value
    """
    settings = dict(document)
    model = _kind(settings.pop("kind", None), name).settings_model
    elsewhere = {field for field in _secrets(model) if isinstance(settings.get(field) or None, Mapping | None)}
    settings |= dict.fromkeys(elsewhere & settings.keys(), "?")
    try:
        model.model_validate(settings)
    except ValidationError as error:
        faults = [fault for fault in _faults(error) if not elsewhere.intersection(fault["loc"])]
        if faults:
            raise _bad_settings(name, model, faults) from None  # its text would show the values


def _built_in(kind: str) -> type[Connector[Any]]:
    package, name = _BUILT_IN[kind]
    found: type[Connector[Any]] = getattr(import_module(f"runtime.connectors.{package}.connector"), name)
    return found


def _installed() -> dict[str, type[Connector[Any]]]:
    kinds: dict[str, type[Connector[Any]]] = {}
    for entry in entry_points(group=_GROUP):
        found = _load(entry)
        if found.kind in _BUILT_IN or found.kind in kinds:
            raise _not_new(entry)
        kinds[found.kind] = found
    return kinds


def _load(entry: EntryPoint) -> type[Connector[Any]]:
    try:
        found = entry.load()
    except Exception as error:  # a foreign package may fail in any way
        raise BadConnection(
            "扩展连接器无法加载", "An installed connector cannot be loaded", where=entry.value, remote=str(error)
        ) from error
    if not (isinstance(found, type) and issubclass(found, Connector)):
        raise _not_new(entry)
    return found


def _not_new(entry: EntryPoint) -> BadConnection:
    return BadConnection(
        "扩展连接器不是新的连接类型",
        "An installed connector is not a new kind of connection",
        where=entry.value,
    )


def _kind(kind: Any, name: str) -> type[Connector[Any]]:
    if isinstance(kind, str) and (found := connector_kind(kind)) is not None:
        return found
    known = ", ".join(sorted(connector_kinds()))
    raise BadConnection(
        f"没有连接类型 {kind!r}，可用：{known}",
        f"There is no kind of connection {kind!r}; known: {known}",
        where=f"{name}.kind" if name else "kind",
    )


def _secrets(model: type[ConnectorSettings]) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if field.annotation is SecretStr)


def _from_environment(reference: Mapping[str, Any], environ: Mapping[str, str], where: str) -> str:
    variable = reference.get("env")
    if set(reference) != {"env"} or not isinstance(variable, str):
        raise BadConnection(
            '密码应为文本或 {"env": "变量名"}', 'A secret is text, or {"env": "NAME"} of a variable', where=where
        )
    if variable not in environ:
        raise BadConnection(
            f"没有设置环境变量 {variable}", f"The environment variable {variable} is not set", where=where
        )
    return environ[variable]


def _faults(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _bad_settings(name: str, model: type[ConnectorSettings], faults: Sequence[ErrorDetails]) -> BadConnection:
    problems = []
    for fault in faults:
        field = ".".join(str(part) for part in fault["loc"])
        zh, en = _FAULTS.get(fault["type"]) or _own_words(fault["msg"])
        if fault["type"] == "extra_forbidden" and (near := get_close_matches(field, model.model_fields, n=1)):
            zh, en = f"{zh}，是否指 {near[0]}？", f"{en}; did you mean {near[0]}?"
        title = model.model_fields[field].title if field in model.model_fields else None
        if field:  # a check over several settings names them in its own words
            zh, en = f"{field}（{title}）：{zh}" if title else f"{field}：{zh}", f"{field}: {en}"
        problems.append((field, zh, en))
    return BadConnection(
        "；".join(zh for _, zh, _ in problems),
        "; ".join(en for _, _, en in problems),
        where=f"{name}.{problems[0][0]}".rstrip(".") if len(problems) == 1 else name,
    )


def _own_words(message: str) -> tuple[str, str]:
    """Chinese and English of what a check of the settings says: ``English | Chinese``, or one for both."""
    en, _, zh = message.removeprefix("Value error, ").partition(" | ")
    return zh or en, en
