"""``SQLQueries``: definitions in one form, a narrow grammar, an allow list, parameters and pages."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

TEXT = (
    "select DocEntry, ReqName as Requester, docdate from odrf"
    " where DocEntry > :least and ReqName = :who order by DocEntry"
)


async def define(client: httpx.AsyncClient, text: str, code: str = "sql01") -> httpx.Response:
    return await client.post("SQLQueries", json={"SqlCode": code, "SqlName": "q", "SqlText": text})


async def listed(client: httpx.AsyncClient, parameters: str = "", code: str = "sql01", size: int = 20) -> Any:
    return await client.get(f"SQLQueries('{code}')/List?{parameters}", headers={"Prefer": f"odata.maxpagesize={size}"})


async def test_a_definition_is_stored_in_one_form_and_run(v1: httpx.AsyncClient, v2: httpx.AsyncClient) -> None:
    created = await define(v1, TEXT)
    assert created.status_code == 201
    assert created.json()["ParamList"] == "least,who"
    text = created.json()["SqlText"]
    assert text.startswith('SELECT "DocEntry", "ReqName" AS "Requester", "DocDate" FROM "ODRF" WHERE ')
    answer = (await listed(v1, "least=1&who='%E5%BC%A0%E4%B8%89'")).json()
    assert (answer["odata.metadata"][-21:], answer["SqlText"]) == ("#SAPB1.SQLQueryResult", text)
    assert answer["value"] == [
        {"DocEntry": 4, "Requester": "张三", "DocDate": "20261121"},
        {"DocEntry": 7, "Requester": "张三", "DocDate": "20261123"},
    ]
    posted = {"ParamList": "least=1&who='张三'", "SqlText": "select CardCode from OCRD"}
    assert (await v1.post("SQLQueries('sql01')/List", json=posted)).json() == answer
    assert (await listed(v2, "least=6&who='%E5%BC%A0%E4%B8%89'")).json()["value"] == answer["value"][1:]
    assert (await define(v1, TEXT)).json()["error"]["code"] == -2035
    changed = await v1.patch("SQLQueries('sql01')", json={"SqlText": "select CardCode from OCRD where CardCode = :a"})
    assert changed.status_code == 204
    assert (await v1.get("SQLQueries('sql01')")).json()["ParamList"] == "a"
    assert (await listed(v1, "a='C2001'")).json()["value"] == [{"CardCode": "C2001"}]
    assert (await listed(v1, "a='it''s'")).json()["value"] == []
    assert (await v1.patch("SQLQueries('sql01')", json={"ParamList": "b", "SqlName": "r"})).status_code == 204
    assert (await v1.get("SQLQueries('sql01')")).json()["ParamList"] == "a"
    assert (await v1.patch("SQLQueries('sql01')", json={"SqlText": None})).status_code == 400
    assert (await v1.post("SQLQueries", json={"SqlCode": "empty"})).status_code == 400
    assert (await v1.delete("SQLQueries('sql01')")).status_code == 204
    assert (await listed(v1)).status_code == 404


async def test_lists_come_in_pages_always(v1: httpx.AsyncClient, v2: httpx.AsyncClient) -> None:
    await define(v1, "select T0.DocEntry, T1.LineNum from ODRF T0 inner join DRF1 T1 on T0.DocEntry = T1.DocEntry")
    first = (await listed(v1, size=0)).json()
    assert (len(first["value"]), first["odata.nextLink"]) == (20, "SQLQueries('sql01')/List?&$skip=20")
    rows, link = [], "SQLQueries('sql01')/List"
    while link:
        page = (await v2.get(link, headers={"Prefer": "odata.maxpagesize=7"})).json()
        assert len(page["value"]) <= 7
        rows += page["value"]
        link = page.get("@odata.nextLink", "")
    assert rows[:20] == first["value"]
    assert len({tuple(row.values()) for row in rows}) == len(rows) > 30
    await define(v1, "select DocEntry from DRF1 where FreeTxt <> :text and DocEntry >= :least", "two")
    body = {"ParamList": "text='甲&乙 '' 丙'&least=2"}
    page = (await v1.post("SQLQueries('two')/List", json=body, headers={"Prefer": "odata.maxpagesize=5"})).json()
    assert re.fullmatch(r"SQLQueries\('two'\)/List\?text=[!-~]+&least=2&\$skip=5", page["odata.nextLink"])
    following = (await v1.get(page["odata.nextLink"], headers={"Prefer": "odata.maxpagesize=5"})).json()
    assert len(following["value"]) == 5
    assert following["odata.nextLink"].endswith("&least=2&$skip=10")


@pytest.mark.parametrize("parameters", ["", "least=1", "Least=1&who='x'", "least=1&who=x", "least='1'&who='x'&more=1"])
async def test_parameters_are_those_of_the_text(v1: httpx.AsyncClient, v2: httpx.AsyncClient, parameters: str) -> None:
    await define(v1, TEXT)
    answer = await listed(v1, parameters)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 704)
    answer = await v2.post("SQLQueries('sql01')/List", json={"ParamList": parameters})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "704")
    assert isinstance(answer.json()["error"]["message"], str)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((f'select 1 from "{table}"', 702) for table in ("OWDD", "WDD1", "OUSR", "OUDP", "@OIR", "OSPP", "NOSUCH")),
        ("select CardCode from OCRD where exists (select 1 from OUSR)", 702),
        ("select Algo from OCRD", 703),
        ("select T1.CardName from OITM T0 inner join OCRD T1 on T0.CardCode = T1.Algo", 703),
        ("select CardCode from OITM where exists (select 1 from OCRD T1 where T1.OnHand = 1)", 703),
        ("select case when CardCode = 'x' then 1 end from OCRD", 701),
        ("select cast(DocEntry as varchar(10)) from ODRF", 701),
        ("select to_varchar(DocDate) from ODRF", 701),
        ("select coalesce(CardCode, 'x') from OCRD", 701),
        ("select T.CardCode from (select CardCode from OCRD) T", 701),
        ("select * from OCRD", 701),
        ("select DocEntry + 1 from ODRF", 701),
        ("select current_date from ODRF", 701),
        ("with X as (select CardCode from OCRD) select CardCode from X", 701),
        ("delete from OCRD", 701),
        ("select CardCode from OCRD; select CardCode from OCRD", 701),
        ("selct", 701),
    ],
)
async def test_what_is_beyond_the_grammar_or_the_allow_list(v1: httpx.AsyncClient, text: str, code: int) -> None:
    answer = await define(v1, text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert (await v1.get("SQLQueries")).json()["value"] == []


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("select top 1 CardCode from OCRD order by CardCode desc", [{"CardCode": "V1005"}]),
        ("select count(distinct CardType) as Kinds from OCRD", [{"Kinds": 2}]),
        (
            "select CardType as Kind, count(*) as N from OCRD where CardCode not in ('C2001') and CardName is not null"
            " group by CardType having count(*) >= 2 order by Kind",
            [{"Kind": "C", "N": 2}, {"Kind": "S", "N": 5}],
        ),
        (
            "select CardCode from OCRD where CardCode like 'C%' and CardCode between 'C2002' and 'C2009' union all"
            " select ItemCode from OITM where (lower(ItemCode) = 'f30001' or left(ItemCode, 1) = 'P')",
            [{"CardCode": code} for code in ("C2002", "C2003", "F30001", "P10001")],
        ),
        (
            "select T0.CardCode, isnull(T0.CardFName, 'x') as Foreign from OCRD T0 where exists"
            " (select 1 from ORDR T1 where T1.CardCode = T0.CardCode and T1.DocDate < '20261117')",
            [{"CardCode": "C2001", "Foreign": "x"}, {"CardCode": "C2002", "Foreign": "x"}],
        ),
        ("select max(DocDate) as Latest, U_ISSYN from OPOR group by U_ISSYN", [{"Latest": "20261119", "U_ISSYN": "N"}]),
    ],
)
async def test_the_grammar(v1: httpx.AsyncClient, text: str, rows: list[dict[str, Any]]) -> None:
    created = await define(v1, text)
    assert created.status_code == 201, created.text
    answer = await listed(v1)
    assert sorted(answer.json()["value"], key=str) == sorted(rows, key=str)
