"""Whatever is sent, the Service Layer answers in its own form and never falls over."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from runtime.sandbox.b1 import B1Simulator
from runtime.sandbox.b1.wire import Call, Reply
from runtime.sandbox.storage import Storage

SIMULATOR = B1Simulator(Storage(None), nodes=1)
SIMULATOR.seed()
LOGIN = {"CompanyDB": "SBODEMOCN", "UserName": "manager", "Password": "manager"}

KIND = {"Attachments2": "form-data"}

WORDS = st.sampled_from(
    [
        *("DocEntry", "DocDate", "U_ISSYN", "DocumentLines", "eq", "gt", "and", "or", "not", "(", ")", ",", "'", "''"),
        *("'N'", "null", "true", "1", "1e400", "1e999999999", "-99999999999999999999", "2026-11-23", "12:00"),
        *("startswith(", "contains", "$", "SAPB1.X'a'"),
    ]
)
SQL = st.lists(
    st.sampled_from(
        [
            *("select", "from", "where", "order by", "union all", "join", "on", "with", "as", "case", "cast(", "call"),
            *("OITM", "ODRF", '"@OIR"', "T0", '"ItemCode"', '"DocDate"', "DocEntry", "*", ".", ",", "(", ")", "=", ";"),
            *(
                "'20261101'",
                "'x'",
                "1",
                "-1e999",
                "to_varchar(",
                "add_days(",
                "tmdk(",
                "left(",
                "null",
                ":a",
                "?",
                "\0",
            ),
        ]
    ),
    max_size=12,
).map(" ".join)
TEXT = st.one_of(st.lists(WORDS, max_size=8).map(" ".join), st.text(max_size=20))
PROPERTIES = st.sampled_from(
    [
        *("DocEntry", "DocDate", "DocTotal", "DocObjectCode", "Comments", "U_ISSYN", "Status", "Remarks", "Document"),
        *("DocumentLines", "LineNum", "ItemCode", "Quantity", "Price", "BaseType", "BatchNumbers"),
        *("ApprovalRequestDecisions", "TableName", "Name", "Size"),
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(PROPERTIES, inner, max_size=4)),
    max_leaves=8,
)
SETS = st.sampled_from(
    ["Drafts", "Items", "ApprovalRequests", "SpecialPrices", "UserFieldsMD", "OIR", "Orders", "SQLQueries"]
)


def answer(method: str, path: str, query: str = "", body: bytes = b"", version: str = "v1") -> Reply:
    login = Call(method="POST", version="v1", root="/", path="Login", body=json.dumps(LOGIN).encode())
    session = json.loads(SIMULATOR.service.answer(login).body)["SessionId"]
    headers = {"sessionid": session, "content-type": f"multipart/{KIND.get(path, 'mixed')};boundary=b"}
    return SIMULATOR.service.answer(
        Call(method=method, version=version, root="/", path=path, query=query, headers=headers, body=body)
    )


@given(SETS, TEXT, TEXT, TEXT, st.sampled_from(["v1", "v2"]))
def test_any_query(entity_set: str, condition: str, order: str, select: str, version: str) -> None:
    query = f"$filter={quote(condition)}&$orderby={quote(order)}&$select={quote(select)}&$expand={quote(order)}"
    reply = answer("GET", entity_set, query, version=version)
    assert reply.status in {200, 400}
    assert ("value" in json.loads(reply.body)) == (reply.status == 200)


@given(st.sampled_from(["GET", "PATCH", "DELETE", "PUT"]), SETS, st.text(max_size=12))
def test_any_key(method: str, entity_set: str, key: str) -> None:
    reply = answer(method, f"{entity_set}({quote(key)})", body=b"[]")
    assert reply.status in {200, 204, 400, 404, 405}


@given(st.text(max_size=30), st.binary(max_size=60))
def test_any_path_and_batch(path: str, body: bytes) -> None:
    assert answer("GET", quote(path)).status in {200, 400, 404, 405}
    assert answer("POST", "$batch", body=b"--b\r\n" + body + b"\r\n--b--").status in {202, 400}


@given(SETS, st.dictionaries(PROPERTIES, JSON, max_size=5))
def test_any_body_is_taken_or_refused_as_a_whole(entity_set: str, body: dict[str, Any]) -> None:
    before = {name: SIMULATOR.rows(name) for name in SIMULATOR.entity_sets()}
    sent = json.dumps(body).encode()
    for method, path in (
        ("POST", entity_set),
        ("PATCH", f"{entity_set}(1)"),
        ("PATCH", "Drafts(1)"),
        ("PATCH", "ApprovalRequests(1)"),
        ("POST", "DraftsService_SaveDraftToDocument"),
    ):
        reply = answer(method, path, body=sent)
        assert reply.status in {201, 204, 400, 404}
        if reply.status >= 400:
            assert {name: SIMULATOR.rows(name) for name in SIMULATOR.entity_sets()} == before
        before = {name: SIMULATOR.rows(name) for name in SIMULATOR.entity_sets()}


@given(st.one_of(SQL, SQL.map("select {}".format), SQL.map("select {} from ODRF".format), st.text(max_size=30)))
def test_any_statement(statement: str) -> None:
    def post(path: str, body: Any, **cookies: str) -> Reply:
        headers = {"cookie": f"B1DISESSION={cookies.get('session', '')}"}
        sent = json.dumps(body).encode()
        return SIMULATOR.gateway.answer(
            Call(method="POST", version="v1", root="/", path=path, headers=headers, body=sent)
        )

    session = json.loads(post("Login", LOGIN).body)["data"]["SessionId"]
    reply = post("exec-sql", {"Sql": statement}, session=session)
    assert reply.status in {200, 400}
    assert ("data" in json.loads(reply.body)) == (reply.status == 200)
    stored = answer("POST", "SQLQueries", body=json.dumps({"SqlCode": "any", "SqlText": statement}).encode())
    assert stored.status in {201, 400}
    if stored.status == 201:
        assert answer("GET", "SQLQueries('any')/List").status in {200, 400}
        assert answer("DELETE", "SQLQueries('any')").status == 204


@given(st.text(max_size=20), st.binary(max_size=60))
def test_any_upload(name: str, content: bytes) -> None:
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    reply = answer("POST", "Attachments2", body=head + content + b"\r\n--b--")
    assert reply.status in {201, 400}
