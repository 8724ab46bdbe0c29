"""Every form of a key in an address."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox.b1.schema import build_schema
from runtime.sandbox.b1.urls import key_text, parse_key, parse_resource

SCHEMA = build_schema([], [], [])


@pytest.mark.parametrize(
    "path",
    [
        "SpecialPrices(CardCode='C2001',ItemCode='F30001')",
        "SpecialPrices(ItemCode='F30001',CardCode='C2001')",
        "SpecialPrices(ItemCode=%27F30001%27,%20CardCode='C2001')",
    ],
)
async def test_composite_keys_in_any_order(v1: httpx.AsyncClient, path: str) -> None:
    assert (await v1.get(path)).json()["Price"] == 665.0


async def test_metadata_keys_mix_text_and_numbers(v1: httpx.AsyncClient) -> None:
    assert (await v1.get("UserFieldsMD(TableName='OITM',FieldID=0)")).json()["Name"] == "SYN"
    assert (await v1.get("UserFieldsMD(FieldID=1,TableName='OITM')")).json()["Name"] == "Z20_SPEC"


@pytest.mark.parametrize("code", ["a'b", "12345", "x/y&z=1", "中文 编码", "100%", "a,b", "(1)"])
async def test_awkward_text_keys(v1: httpx.AsyncClient, code: str) -> None:
    created = await v1.post("Items", json={"ItemCode": code, "ItemName": "x"})
    assert created.status_code == 201
    location = created.headers["location"]
    assert (await v1.get(location)).json()["ItemCode"] == code
    assert (await v1.patch(location, json={"ItemName": "y"})).status_code == 204
    assert (await v1.delete(location)).status_code == 204
    assert (await v1.get(location)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "Drafts('1')",
        "Items(1)",
        "Items(F30001)",
        "SpecialPrices('F30001')",
        "SpecialPrices(CardCode='C2001')",
        "Drafts(abc)",
        "Drafts()",
    ],
)
async def test_malformed_keys_are_refused(v1: httpx.AsyncClient, path: str) -> None:
    assert (await v1.get(path)).status_code == 400


async def test_named_form_of_a_single_key(v1: httpx.AsyncClient) -> None:
    assert (await v1.get("Drafts(DocEntry=1)")).json()["DocEntry"] == 1


async def test_single_properties_and_raw_values(v1: httpx.AsyncClient) -> None:
    assert (await v1.get("Items('F30001')/ItemName")).json()["value"] == "三相异步电动机"
    raw = await v1.get("Items('F30001')/ItemName/$value")
    assert (raw.text, raw.headers["content-type"].split(";")[0]) == ("三相异步电动机", "text/plain")
    assert (await v1.get("Items('F30001')/Nonsense")).status_code == 400


@given(st.text(min_size=1), st.text(min_size=1))
def test_written_keys_read_back(item: str, partner: str) -> None:
    prices = SCHEMA.type_of("SpecialPrices")
    resource = parse_resource(f"SpecialPrices({key_text((item, partner), prices)})/Close")
    assert resource.tail == ("Close",)
    assert parse_key(resource.key or "", prices) == (item, partner)


@given(st.integers(min_value=-(2**31), max_value=2**31 - 1))
def test_numeric_keys_read_back(entry: int) -> None:
    drafts = SCHEMA.type_of("Drafts")
    assert parse_key(key_text(entry, drafts), drafts) == entry
