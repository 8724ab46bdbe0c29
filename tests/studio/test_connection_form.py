"""The form of a connection is generated from its settings model."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field, SecretStr

from runtime.connectors.registry import connector_kinds
from runtime.connectors.settings import HttpSettings
from studio.connections.form import assemble, environment_name, form_fields


class Settings(HttpSettings):
    version: Literal["v1", "v2"] = Field("v1", title="版本", description="Version")
    company: str = Field(title="帐套", description="Company")
    password: SecretStr = Field(title="密码", description="Password")
    language: int | None = Field(None, title="语言", description="Language")


def test_every_kind_of_setting_has_its_widget() -> None:
    fields = {field.name: field for field in form_fields(Settings)}
    assert {name: fields[name].kind for name in ("base_url", "version", "company", "password", "language")} == {
        "base_url": "text",
        "version": "choice",
        "company": "text",
        "password": "secret",
        "language": "integer",
    }
    assert fields["version"].choices == ("v1", "v2")
    assert fields["company"].required
    assert not fields["version"].required


def test_address_first_and_seldom_used_settings_last() -> None:
    fields = form_fields(Settings)
    assert fields[0].name == "base_url"
    flags = [field.advanced for field in fields]
    assert flags == sorted(flags)
    assert {field.name for field in fields if field.advanced} == {"verify_tls", "ca_file", "timeout", "rate", "retries"}


def test_an_empty_secret_is_left_out_so_that_the_stored_one_stays() -> None:
    fields = form_fields(Settings)
    document = assemble(
        "b1", fields, {"base_url": " http://h ", "company": "C", "password": "", "language": None, "verify_tls": False}
    )
    assert document == {"kind": "b1", "base_url": "http://h", "company": "C", "verify_tls": False}


def test_a_secret_keeps_its_spaces() -> None:
    assert assemble("b1", form_fields(Settings), {"password": " a b "})["password"] == " a b "


def test_a_required_empty_field_reaches_the_check_that_names_it() -> None:
    assert assemble("b1", form_fields(Settings), {"company": ""})["company"] == ""


@pytest.mark.parametrize("stored", [None, "text", {}, {"other": "x"}])
def test_only_a_reference_names_an_environment_variable(stored: object) -> None:
    assert environment_name(stored) == ""
    assert environment_name({"env": "B1_PASSWORD"}) == "B1_PASSWORD"


def test_addresses_have_an_example_and_what_is_seldom_changed_stands_behind_more() -> None:
    database = {field.name: field for field in form_fields(connector_kinds()["sql"].settings_model)}
    gateway = {field.name: field for field in form_fields(connector_kinds()["b1.di_api"].settings_model)}
    assert (next(iter(database)), database["url"].example) == ("url", "hana+hdbcli://192.168.1.10:30015")
    assert gateway["base_url"].example.startswith("https://")
    assert (gateway["login_path"].advanced, gateway["database"].advanced) == (True, False)


@pytest.mark.parametrize("kind", sorted(connector_kinds()))
def test_every_connector_has_a_form_with_labels_in_both_languages(kind: str) -> None:
    fields = form_fields(connector_kinds()[kind].settings_model)
    assert [field.name for field in fields if not field.zh or not field.en or field.zh == field.name] == []
