"""Flows that another program calls: AppCode, JSON in and out, always an answer."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.acceptance]

ITEM = "R10001"
MAPPING: dict[str, Any] = {
    "format": 1,
    "id": "items",
    "connections": {
        "erp": "b1-demo",
        "shop": {"choose": "{{ request.headers['x-company'] }}", "among": {"A": "b1-demo", "B": "b1-other"}},
    },
    "settings": {"error_status": 200},
    "flows": {
        "echo": {
            "trigger": {"http": {"path": "items/echo", "methods": ["POST", "PUT"]}},
            "steps": [
                {
                    "respond": {
                        "status": 201,
                        "headers": {"X-Kind": "echo"},
                        "body": {"code": 200, "got": "{{ request.body }}", "seen": "{{ request.headers | list }}"},
                    }
                }
            ],
        },
        "find": {
            "trigger": {"http": {"path": "items/find"}},
            "steps": [
                {
                    "id": "item",
                    "call": "erp.get",
                    "with": {"entity": "Items", "key": "{{ request.body.code }}"},
                },
                {"respond": {"body": {"name": "{{ item.ItemName }}"}}},
            ],
        },
        "safe": {
            "trigger": {
                "http": {
                    "path": "items/safe",
                    "on_error": {
                        "status": "{{ settings.error_status }}",
                        "body": {"code": 500, "message": "{{ error.remote or error.message }}", "data": None},
                    },
                }
            },
            "steps": [
                {"id": "item", "call": "shop.get", "with": {"entity": "Items", "key": "{{ request.body.code }}"}},
                {"respond": {"body": {"code": 200, "message": "OK", "data": "{{ item.ItemName }}"}}},
            ],
        },
        "many": {
            "trigger": {"http": {"path": "items/many"}},
            "steps": [
                {
                    "each": "{{ request.body.codes }}",
                    "as": "code",
                    "key": "{{ code }}",
                    "steps": [{"call": "erp.get", "with": {"entity": "Items", "key": "{{ code }}"}}],
                }
            ],
        },
        "control": {
            "trigger": {"http": {"path": "items/control", "methods": ["GET", "POST"]}},
            "steps": [
                {"set": {"names": []}},
                {
                    "while": "{{ names | length < (request.body.codes | length) }}",
                    "steps": [
                        {"id": "name", "run": "name_of", "with": {"code": "{{ request.body.codes[names | length] }}"}},
                        {"set": {"names+": "{{ name }}"}},
                    ],
                },
                {
                    "switch": "{{ request.body.form | default('') }}",
                    "cases": [{"when": ["text", "csv"], "steps": [{"respond": {"body": "{{ names | join(',') }}"}}]}],
                    "default": [{"respond": {"body": {"names": "{{ names }}"}}}],
                },
            ],
        },
        "name_of": {
            "trigger": {"manual": {}},
            "steps": [
                {
                    "try": [
                        {"id": "item", "call": "erp.get", "with": {"entity": "Items", "key": "{{ input.code }}"}},
                        {"respond": {"body": "{{ item.ItemCode }}"}},
                    ],
                    "catch": [{"respond": {"body": "{{ error.code }}"}}],
                }
            ],
        },
        "large": {
            "trigger": {"http": {"path": "items/large"}},
            "steps": [{"respond": {"body": {"first": "{{ request.body }}", "rest": ["{{ request.body }}"] * 9}}}],
        },
        "silent": {"trigger": {"http": {"path": "items/silent"}}, "steps": [{"set": {"x": 1}}]},
    },
}


@pytest.fixture(scope="module")
def http(module_desk: Any) -> Any:
    module_desk.import_connections()
    other = module_desk.folder / "other.json"
    other.write_text(json.dumps({"b1-other": {**module_desk.connections()["b1-demo"], "password": "wrong"}}))
    assert module_desk.command("connections", "import", str(other)).returncode == 0
    module_desk.save(MAPPING)
    with httpx.Client(base_url=module_desk.serve().address(), trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def codes(module_desk: Any, http: httpx.Client) -> dict[str, str]:
    """AppCode by flow, as the command line shows them."""
    listed = module_desk.command("appcodes", "list")
    assert listed.returncode == 0, listed.stderr
    rows = [line.split() for line in listed.stdout.splitlines()[1:]]
    assert all(row[-2].startswith(f"{http.base_url}/flows/items/".replace("//flows", "/flows")) for row in rows)
    return {row[0]: row[-1] for row in rows}


def test_a_caller_with_the_appcode_gets_the_flows_answer(http: httpx.Client, codes: dict[str, str]) -> None:
    private = dict.fromkeys(("Cookie", "Authorization", "X-Auth-Token", "X-Api-Key", "X-Client-Secret"), "s=1")
    headers = {"X-Apig-AppCode": codes["items/echo"], "X-Company": "A", **private}
    answer = http.post("/flows/items/echo", headers=headers, content='{"数量": 12345678901234567.125}')
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-kind"] == "echo"
    # Not a digit is lost on the way through.
    assert '"got":{"数量":12345678901234567.125}' in answer.text
    seen = set(answer.json()["seen"])
    assert "x-company" in seen
    assert not seen & {name.lower() for name in ("X-Apig-AppCode", *private)}


@pytest.mark.parametrize("code", [None, "", "wrong", "x" * 5000])
def test_a_stranger_is_refused(http: httpx.Client, codes: dict[str, str], code: str | None) -> None:
    headers = {} if code is None else {"X-Apig-AppCode": code}
    answer = http.post("/flows/items/echo", headers=headers, json={})
    assert answer.status_code == 401
    assert "X-Apig-AppCode" in answer.json()["error"]["message"]
    assert codes["items/echo"] not in answer.text


def test_the_code_of_one_flow_opens_no_other(http: httpx.Client, codes: dict[str, str]) -> None:
    answer = http.post("/flows/items/find", headers={"X-Apig-AppCode": codes["items/echo"]}, json={})
    assert answer.status_code == 401


def test_the_other_systems_refusal_is_passed_on(http: httpx.Client, codes: dict[str, str]) -> None:
    answer = http.post("/flows/items/find", headers={"X-Apig-AppCode": codes["items/find"]}, json={"code": "NO-SUCH"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["type"] == "NotFound"
    assert error["remote"]
    assert error["message_en"]


def test_a_flow_may_say_how_its_errors_are_answered(http: httpx.Client, codes: dict[str, str]) -> None:
    def call(company: str, code: str, **headers: str) -> httpx.Response:
        known = {"X-Apig-AppCode": codes["items/safe"], "X-Company": company, **headers}
        return http.post("/flows/items/safe", headers=known, json={"code": code})

    good = call("A", ITEM)
    assert (good.status_code, good.json()["code"]) == (200, 200), good.text
    missing = call("A", "NO-SUCH")
    assert missing.status_code == 200
    assert missing.json() == {"code": 500, "message": "No matching records found (ODBC -2028)", "data": None}
    # A refused login, and what is not on the list of connections, are answered in the same form.
    assert call("B", ITEM).json()["code"] == 500
    stranger = call("b1-other", ITEM)
    assert stranger.json()["code"] == 500
    assert "b1-other" in stranger.json()["message"]


def test_a_refused_request_is_answered_as_the_flow_says_and_with_the_status_that_tells_why(
    http: httpx.Client, codes: dict[str, str]
) -> None:
    headers = {"X-Apig-AppCode": codes["items/safe"], "X-Company": "A"}

    def refused(method: str = "POST", **changes: Any) -> tuple[int, str]:
        asked = {"json": {"code": ITEM}, **changes}
        answer = http.request(method, "/flows/items/safe", **{**asked, "headers": headers | changes.get("headers", {})})
        assert (answer.json()["code"], set(answer.json())) == (500, {"code", "message", "data"}), answer.text
        return answer.status_code, answer.json()["message"]

    status, message = refused(json=None, content="{ not json")
    assert (status, "JSON" in message) == (400, True)
    status, message = refused("DELETE")
    assert (status, "DELETE" in message) == (405, True)
    status, message = refused(json=None, content=b'"' + b"x" * 10_000_000 + b'"')
    assert status == 413
    key = {"Idempotency-Key": "taken"}
    assert http.post("/flows/items/safe", headers=headers | key, json={"code": ITEM}).status_code == 200
    status, message = refused(json={"code": "R10002"}, headers=key)
    assert (status, "taken" in message) == (422, True)
    # A stranger does not see what the flow's answers look like.
    stranger = http.post("/flows/items/safe", headers={"X-Apig-AppCode": "wrong"}, json={})
    assert (stranger.status_code, set(stranger.json())) == (401, {"error"})


def test_the_same_key_in_another_company_is_another_request(http: httpx.Client, codes: dict[str, str]) -> None:
    def call(company: str) -> httpx.Response:
        headers = {"X-Apig-AppCode": codes["items/safe"], "X-Company": company, "Idempotency-Key": "k1"}
        return http.post("/flows/items/safe", headers=headers, json={"code": ITEM})

    assert [call(company).json()["code"] for company in ("A", "B")] == [200, 500]
    assert call("A").headers["Idempotent-Replayed"] == "true"


def test_the_error_of_a_document_goes_into_the_answer(http: httpx.Client, codes: dict[str, str]) -> None:
    headers = {"X-Apig-AppCode": codes["items/many"]}
    answer = http.post("/flows/items/many", headers=headers, json={"codes": [ITEM, "NO-SUCH"]})
    assert answer.status_code == 500
    assert (answer.json()["done"], answer.json()["failed"]) == (1, 1)
    assert answer.json()["error"]["code"] == "-2028"


def test_loops_branches_and_flows_inside_flows_answer(http: httpx.Client, codes: dict[str, str]) -> None:
    headers = {"X-Apig-AppCode": codes["items/control"]}
    body = {"codes": [ITEM, "NO-SUCH"]}
    assert http.post("/flows/items/control", headers=headers, json=body).json() == {"names": [ITEM, "-2028"]}
    answer = http.post("/flows/items/control", headers=headers, json={**body, "form": "csv"})
    assert answer.json() == f"{ITEM},-2028"
    empty = http.get("/flows/items/control", headers=headers)
    assert empty.status_code == 422
    assert empty.json()["error"]["message"]


def test_an_answer_beyond_all_bounds_is_an_error_that_says_so(http: httpx.Client, codes: dict[str, str]) -> None:
    headers = {"X-Apig-AppCode": codes["items/large"]}
    answer = http.post("/flows/items/large", headers=headers, json="x" * 3_000_000)
    assert answer.status_code == 422
    assert "20,000,000" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("content", "status"), [(b"{ not json", 400), (b"[" * 200_000, 400), (b'"' + b"x" * 10_000_000 + b'"', 413)]
)
def test_a_body_that_is_no_good_is_answered_in_json(
    http: httpx.Client, codes: dict[str, str], content: bytes, status: int
) -> None:
    answer = http.post("/flows/items/echo", headers={"X-Apig-AppCode": codes["items/echo"]}, content=content)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_flow_without_an_answer_of_its_own_tells_how_it_went(http: httpx.Client, codes: dict[str, str]) -> None:
    answer = http.post("/flows/items/silent", headers={"X-Apig-AppCode": codes["items/silent"]})
    assert answer.status_code == 200
    assert answer.json()["state"] == "succeeded"


def test_only_the_declared_methods(http: httpx.Client, codes: dict[str, str]) -> None:
    headers = {"X-Apig-AppCode": codes["items/echo"]}
    assert http.put("/flows/items/echo", headers=headers, json={}).status_code == 201
    assert http.delete("/flows/items/echo", headers=headers).status_code == 405


def test_a_rotated_code_replaces_the_old_one_at_once(
    http: httpx.Client, codes: dict[str, str], module_desk: Any
) -> None:
    done = module_desk.command("appcodes", "rotate", "items", "silent")
    assert done.returncode == 0, done.stderr
    fresh = done.stdout.strip()
    assert fresh != codes["items/silent"]
    old = http.post("/flows/items/silent", headers={"X-Apig-AppCode": codes["items/silent"]})
    assert old.status_code == 401
    assert http.post("/flows/items/silent", headers={"X-Apig-AppCode": fresh}).status_code == 200
