"""Kinds of connection, built in and installed; and settings that a person got wrong."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from runtime.connectors import registry
from runtime.connectors.actions import Action
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.registry import check_settings, connector_kinds, open_connector, secret_fields
from runtime.connectors.settings import HttpSettings
from runtime.errors import BadConnection


class OtherConnector(Connector[HttpSettings]):
    """A connector as an installed package would bring it."""

    kind = "other"
    title_zh = "其他"
    title_en = "Other"
    settings_model = HttpSettings

    def define_actions(self) -> Sequence[Action]:
        return ()

    async def test(self) -> TestReport:
        return TestReport(lines=[])

    async def aclose(self) -> None:
        pass


class Impostor(OtherConnector):
    kind = "dingtalk"


def install(monkeypatch: pytest.MonkeyPatch, *targets: str) -> None:
    points = [EntryPoint(f"plugin{number}", target, registry._GROUP) for number, target in enumerate(targets)]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def test_the_built_in_kinds() -> None:
    assert set(connector_kinds()) >= {"b1.service_layer", "dingtalk"}
    assert secret_fields("dingtalk") == {"app_secret", "aes_key", "token"}
    assert secret_fields("b1.service_layer") >= {"password"}


def test_an_installed_package_adds_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "OtherConnector", OtherConnector, raising=False)
    install(monkeypatch, "runtime.connectors.registry:OtherConnector")
    assert isinstance(open_connector("x", {"kind": "other", "base_url": "http://h"}), OtherConnector)
    assert secret_fields("other") == frozenset()


@pytest.mark.parametrize("target", ["no.such.module:Thing", "runtime.connectors.registry:_GROUP"])
def test_a_broken_package_is_named(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    install(monkeypatch, target)
    with pytest.raises(BadConnection) as caught:
        connector_kinds()
    assert caught.value.where == target


def test_a_package_cannot_take_a_built_in_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "Impostor", Impostor, raising=False)
    install(monkeypatch, "runtime.connectors.registry:Impostor")
    with pytest.raises(BadConnection, match="not a new kind"):
        connector_kinds()


@pytest.mark.parametrize("document", [{}, {"kind": "dingtlak"}, {"kind": 5}, {"kind": ["dingtalk"]}])
def test_an_unknown_kind_is_named_with_the_known_ones(document: dict[str, Any]) -> None:
    with pytest.raises(BadConnection, match=r"b1\.service_layer, dingtalk") as caught:
        open_connector("oa", document)
    assert caught.value.where == "oa.kind"


def test_all_wrong_settings_are_named_in_both_languages() -> None:
    document = {"kind": "dingtalk", "app_key": "", "app_secert": "hidden", "aes_key": "short", "retries": "many"}
    with pytest.raises(BadConnection) as caught:
        open_connector("oa", document)
    english, chinese = caught.value.en, caught.value.zh
    for name in ("app_key", "app_secret", "app_secert", "aes_key", "retries"):
        assert name in english
        assert name in chinese
    assert "did you mean app_secret?" in english
    assert "app_secret（应用 AppSecret）：缺少此项" in chinese
    assert caught.value.where == "oa"
    assert "hidden" not in str(caught.value)


def test_one_wrong_setting_is_the_place() -> None:
    with pytest.raises(BadConnection) as caught:
        open_connector("oa", {"kind": "dingtalk", "app_key": "k", "app_secret": "s", "token_api": "v3"})
    assert caught.value.where == "oa.token_api"


def test_a_rule_over_several_settings_speaks_for_itself() -> None:
    document = {"kind": "b1.service_layer", "base_url": "http://h", "company": "c", "user": "u", "password": "pppp"}
    with pytest.raises(BadConnection, match="approver_password") as caught:
        open_connector("erp", document | {"approver_user": "boss"})
    assert caught.value.where == "erp"


B1 = {
    "kind": "b1.service_layer",
    "base_url": "http://h/b1",
    "company": "C",
    "user": "u",
    "approver_user": "a",
    "approver_password": {"env": "APPROVER"},
}


@pytest.mark.parametrize("password", [{}, {"password": {"env": "B1"}}, {"password": "secret"}])
def test_before_storing_a_secret_may_be_elsewhere(password: dict[str, Any]) -> None:
    check_settings("b1", B1 | password)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"pasword": "secret-word"}, "b1.pasword"),
        ({"base_url": "127.0.0.1:50000/b1"}, "b1.base_url"),
        ({"company": ""}, "b1.company"),
        ({"kind": "dingtalk", "app_key": "k", "app_secret": "s", "aes_key": "secret-word"}, "b1"),
        ({"kind": "nothing"}, "b1.kind"),
    ],
)
def test_before_storing_a_wrong_setting_is_named_without_its_value(wrong: dict[str, Any], where: str) -> None:
    with pytest.raises(BadConnection) as caught:
        check_settings("b1", B1 | {"password": "p"} | wrong)
    assert caught.value.where == where
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["hana://me:secret@host:30015", "mssql+pymssql://h/d?password=secret", "mssql+pyodbc://?odbc_connect=PWD=secret"],
)
def test_what_a_check_of_the_settings_says_is_said_in_both_languages(url: str) -> None:
    with pytest.raises(BadConnection) as caught:
        open_connector("db", {"kind": "sql", "url": url})
    assert caught.value.zh == "url（数据库地址）：地址里不能写用户和密码，请填在各自的设置里"
    assert caught.value.en == "url: user and password have settings of their own and may not stand in the URL"
