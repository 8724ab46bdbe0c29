"""``$batch`` over HTTP."""

from __future__ import annotations

import re

import httpx
import pytest


def part(method: str, path: str, body: str = "", *, head: str = "Content-Transfer-Encoding: binary") -> str:
    content = f"Content-Type: application/json\r\n\r\n{body}" if body else ""
    return f"Content-Type: application/http\r\n{head}\r\n\r\n{method} {path} HTTP/1.1\r\n{content}\r\n"


def change_set(*parts: str) -> str:
    inner = "".join(f"--cs_1\r\n{text}" for text in parts)
    return f"Content-Type: multipart/mixed; boundary=cs_1\r\n\r\n{inner}--cs_1--\r\n"


async def send(client: httpx.AsyncClient, *parts: str, line_end: str = "\r\n") -> httpx.Response:
    body = "".join(f"--batch_a\r\n{text}" for text in parts) + "--batch_a--\r\n"
    headers = {"Content-Type": "multipart/mixed;boundary=batch_a"}
    return await client.post("$batch", content=body.replace("\r\n", line_end).encode(), headers=headers)


def statuses(answer: httpx.Response) -> list[int]:
    return [int(code) for code in re.findall(r"HTTP/1.1 (\d+)", answer.text)]


async def test_changes_and_reads_in_one_call(v1: httpx.AsyncClient) -> None:
    answer = await send(
        v1,
        change_set(part("PATCH", "/b1s/v1/Items('R10001')", '{"User_Text":"检查"}', head="Content-ID: 1")),
        part("GET", "/b1s/v1/Items('R10001')?$select=ItemCode,User_Text"),
        part("GET", "Items('NONE')"),
    )
    assert answer.status_code == 202
    assert statuses(answer) == [204, 200, 404]
    assert "changesetresponse_" in answer.text
    assert "Content-ID: 1" in answer.text
    assert '"User_Text":"检查"' in answer.text
    boundary = answer.headers["content-type"].split("boundary=")[1]
    assert answer.text.startswith(f"--{boundary}\r\n")
    assert answer.text.endswith(f"--{boundary}--\r\n")


async def test_a_change_set_is_atomic(v1: httpx.AsyncClient) -> None:
    before = (await v1.get("Items('R10001')")).json()
    answer = await send(
        v1,
        change_set(
            part("POST", "/b1s/v1/Items", '{"ItemCode":"R99999","ItemName":"new"}'),
            part("PATCH", "/b1s/v1/Items('R10001')", '{"ItemName":"changed"}'),
            part("DELETE", "/b1s/v1/Items('R10002')"),
            part("PATCH", "/b1s/v1/Items('NONE')", '{"ItemName":"changed"}'),
        ),
        part("GET", "/b1s/v1/Items/$count"),
    )
    assert statuses(answer) == [404, 200]
    assert "changesetresponse_" not in answer.text
    assert (await v1.get("Items('R99999')")).status_code == 404
    assert (await v1.get("Items('R10001')")).json() == before
    assert (await v1.get("Items('R10002')")).status_code == 200
    assert (await v1.get("Items/$count")).text == "14"


async def test_reads_do_not_belong_into_a_change_set(v1: httpx.AsyncClient) -> None:
    answer = await send(
        v1,
        change_set(part("PATCH", "/b1s/v1/Items('R10001')", '{"User_Text":"x"}')),
        change_set(part("GET", "/b1s/v1/Items('R10001')")),
    )
    assert answer.status_code == 400
    assert (await v1.get("Items('R10001')")).json()["User_Text"] is None


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
async def test_other_clients_habits_are_understood(v1: httpx.AsyncClient, line_end: str) -> None:
    text = part("POST", "/b1s/v1/Orders(1)/Close").replace(
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary",
        "Content-Type: application/http; msgtype=request",
    )
    answer = await send(v1, change_set(text), part("GET", "/b1s/v1/Orders(1)"), line_end=line_end)
    assert statuses(answer) == [204, 200]
    assert '"DocumentStatus":"bost_Close"' in answer.text


@pytest.mark.parametrize("content_type", ["application/json", "multipart/mixed"])
async def test_a_body_without_boundary_is_refused(v1: httpx.AsyncClient, content_type: str) -> None:
    answer = await v1.post("$batch", content=b"--x", headers={"Content-Type": content_type})
    assert answer.status_code == 400


async def test_a_batch_needs_a_session(v1: httpx.AsyncClient) -> None:
    v1.cookies.clear()
    assert (await send(v1, part("GET", "/b1s/v1/Items"))).status_code == 401
