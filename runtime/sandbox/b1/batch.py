"""``$batch``: several calls in one multipart body; the calls of a change set succeed together or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from .faults import bad_request
from .wire import Call, Reply, reason

__all__ = ["answer_batch", "parts"]

_REQUEST: Final = re.compile(rb"([A-Z]+) (\S+)(?: HTTP/[\d.]+)?")


class _Failed(Exception):
    """A call of a change set was refused."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True)
class _Item:
    """One call of the batch, with the headers of its part."""

    headers: dict[str, str]
    call: Call


Transaction = Callable[[], AbstractContextManager[None]]


def answer_batch(call: Call, execute: Callable[[Call], Reply], transaction: Transaction) -> Reply:
    """Carry out a batch; the whole of it is read before anything is done.

    :param execute: carries out one call and turns refusals into answers
    :param transaction: everything inside is kept together or, after an exception, not at all
    :raises ServiceFault: the body is no multipart body, or a change set reads
    """
    plan: list[_Item | list[_Item]] = []
    for headers, content in parts(call.headers.get("content-type", ""), call.body):
        kind = headers.get("content-type", "")
        if not kind.startswith("multipart/mixed"):
            plan.append(_Item(headers, _inner_call(call, content)))
            continue
        change_set = [_Item(inner, _inner_call(call, part)) for inner, part in parts(kind, content)]
        if any(item.call.method == "GET" for item in change_set):
            raise bad_request("GET is not allowed in a change set", -1000)
        plan.append(change_set)
    answers = [
        _answer_change_set(item, execute, transaction)
        if isinstance(item, list)
        else _part(execute(item.call), item.headers)
        for item in plan
    ]
    boundary = f"batchresponse_{uuid4()}"
    return Reply(status=202, body=_join(answers, boundary), media_type=f"multipart/mixed;boundary={boundary}")


def _answer_change_set(items: list[_Item], execute: Callable[[Call], Reply], transaction: Transaction) -> bytes:
    answers = []
    try:
        with transaction():
            for item in items:
                reply = execute(item.call)
                if reply.status >= 400:
                    raise _Failed(reply)
                answers.append(_part(reply, item.headers))
    except _Failed as failed:
        return _part(failed.reply, {})
    boundary = f"changesetresponse_{uuid4()}"
    head = f"Content-Type: multipart/mixed;boundary={boundary}\r\n\r\n".encode()
    return head + _join(answers, boundary)


def parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Headers (lower case) and content of each part; line ends may be CRLF or LF."""
    match = re.search(r'boundary="?([^";]+)"?', content_type, re.IGNORECASE)
    if match is None:
        raise bad_request("Bad batch content: no boundary", -1000)
    pieces = re.split(rb"(?:^|\r?\n)--" + re.escape(match[1].encode()) + rb"(?:--)?[ \t]*(?=\r?\n|$)", body)
    return [_split(piece.lstrip(b"\r\n")) for piece in pieces[1:] if piece.strip()]


def _split(text: bytes) -> tuple[dict[str, str], bytes]:
    head, _, content = re.sub(rb"\r?\n\r?\n", b"\0\0", text, count=1).partition(b"\0\0")
    headers = {}
    for line in head.decode("latin-1").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers, content


def _inner_call(call: Call, content: bytes) -> Call:
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    match = _REQUEST.fullmatch(line.strip())
    if match is None:
        raise bad_request("Bad batch content: no request line", -1000)
    blank = rest.startswith((b"\r\n", b"\n"))
    headers, body = ({}, rest.strip(b"\r\n")) if blank else _split(rest)
    address = urlsplit(match[2].decode("latin-1"))
    path = re.sub(r"^.*?/b1s/v[12]/", "", address.path).lstrip("/")
    carried = {name: value for name, value in call.headers.items() if name in {"cookie", "sessionid"}}
    return Call(
        method=match[1].decode(),
        version=call.version,
        root=call.root,
        path=path,
        query=address.query,
        headers=headers | carried,
        body=body.strip(b"\r\n"),
    )


def _part(reply: Reply, headers: dict[str, str]) -> bytes:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if "content-id" in headers:
        lines.append(f"Content-ID: {headers['content-id']}")
    lines += ["", f"HTTP/1.1 {reply.status} {reason(reply.status)}"]
    if reply.media_type:
        lines.append(f"Content-Type: {reply.media_type}")
    lines += [f"{name}: {value}" for name, value in reply.headers]
    lines += [f"Content-Length: {len(reply.body)}", "", ""]
    return "\r\n".join(lines).encode() + reply.body


def _join(parts: list[bytes], boundary: str) -> bytes:
    mark = boundary.encode()
    return b"".join(b"--" + mark + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + mark + b"--\r\n"
