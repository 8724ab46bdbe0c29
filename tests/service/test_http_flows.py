"""Flows that another program calls: AppCode, JSON in and out, always an answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.acceptance]

MAPPING: dict[str, Any] = {
    "format": 1,
    "id": "items",
    "connections": {"erp": "b1-demo"},
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
        "silent": {"trigger": {"http": {"path": "items/silent"}}, "steps": [{"set": {"x": 1}}]},
    },
}


@pytest.fixture(scope="module")
def http(module_desk: Any) -> Any:
    module_desk.import_connections()
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
    headers = {"X-Apig-AppCode": codes["items/echo"], "Cookie": "secret=1"}
    answer = http.post("/flows/items/echo", headers=headers, content='{"数量": 12345678901234567.125}')
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-kind"] == "echo"
    # Not a digit is lost on the way through.
    assert '"got":{"数量":12345678901234567.125}' in answer.text
    assert not {"x-apig-appcode", "cookie"} & set(answer.json()["seen"])


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
