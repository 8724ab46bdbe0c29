"""What may stand between the runtime and another system: it sees every secret, and what it answers may repeat them."""

from __future__ import annotations

import re
import socketserver
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

__all__ = ["Postgres", "Proxy", "running"]

#: Calls that get through even where all others fail.
_LOGIN = re.compile(r"/(gettoken|applytoken|Login)\b")
#: What a login yields: the tokens of the approval systems, the session of the DI gateway.
_YIELD = re.compile(r'(?:token"\s*:\s*"|B1DISESSION=)([^";]+)')
#: Headers that an error page repeats first: of such a page only the beginning is ever read.
_REPEATED = ("token", "cookie", "userid")


class Proxy(ThreadingHTTPServer):
    """Serves ``/through/…`` (passed on to the sandbox), ``/failing/…`` (logins only; else an error page that repeats
    what was asked), ``/garbled/…`` (an answer that is no HTTP) and ``/robot``.
    """

    daemon_threads = True

    def __init__(self, sandbox: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sandbox = sandbox
        self.url = f"http://127.0.0.1:{self.server_port}"
        #: All requests, as text.
        self.seen: list[str] = []
        #: Tokens, sessions and what was encrypted for the OA.
        self.learned: set[str] = set()
        #: What people were told.
        self.alerts: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(f"{self.requestline}\n{self.headers}\n{body.decode(errors='replace')}")
        self.server.learned.update(value for name in ("secret", "userid") if (value := self.headers.get(name)))
        way, _, path = self.path.removeprefix("/").partition("/")
        if way == "garbled":
            self.wfile.write(b"what is HTTP?\r\n\r\n")
            self.close_connection = True
        elif way.startswith("robot"):
            self.server.alerts.append(body.decode())
            self._answer(200, b'{"errcode": 0}')
        elif way == "through" or _LOGIN.search(path):
            self._pass_on(path, body)
        else:
            repeated = [self.headers.get(name, "") for name in _REPEATED]
            self._answer(502, " ".join(["502", *filter(None, repeated), self.requestline]).encode())

    do_GET = do_POST = _serve  # noqa: N815 - http.server looks for these names

    def _pass_on(self, path: str, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        url = f"{self.server.sandbox}/{path}"
        answer = httpx.request(self.command, url, headers=headers, content=body, trust_env=False, timeout=30)
        cookies = answer.headers.get_list("set-cookie")
        if _LOGIN.search(path):
            self.server.learned.update(_YIELD.findall(answer.text + "".join(cookies)))
        self._answer(answer.status_code, answer.content, cookies)

    def _answer(self, status: int, content: bytes, cookies: list[str] | None = None) -> None:
        self.send_response(status)
        for cookie in cookies or []:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


class Postgres(socketserver.ThreadingTCPServer):
    """Asks whoever connects for the password, refuses it, and repeats it in the refusal."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Login)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        #: What it was given.
        self.seen: list[str] = []


class _Login(socketserver.StreamRequestHandler):
    """PostgreSQL's documentation, Frontend/Backend Protocol, Message Formats."""

    server: Postgres

    def handle(self) -> None:
        while self._message()[:2] == b"\x04\xd2":  # asks for encryption
            self.wfile.write(b"N")
        self.wfile.write(b"R\0\0\0\x08\0\0\0\x03")
        self.rfile.read(1)
        password = self._message().rstrip(b"\0")
        self.server.seen.append(password.decode())
        fields = b"SFATAL\0C28P01\0Mpassword authentication failed: " + password + b"\0\0"
        self.wfile.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

    def _message(self) -> bytes:
        return self.rfile.read(int.from_bytes(self.rfile.read(4), "big") - 4)


@contextmanager
def running(sandbox: str) -> Iterator[tuple[Proxy, Postgres]]:
    """Both of them, for the duration of the block."""
    with ExitStack() as stack:
        servers = Proxy(sandbox), Postgres()
        for server in servers:
            stack.enter_context(server)
            stack.callback(server.shutdown)
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield servers
