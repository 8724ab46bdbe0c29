"""``serve``: claim the state, listen, run the service until a signal, stop it gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import structlog
import uvicorn

from runtime.config import Settings
from runtime.errors import CannotStart
from runtime.service.logs import configure_logs
from runtime.service.service import Service
from runtime.store.database import Database

__all__ = ["serve"]

log = structlog.get_logger(__name__)

#: Seconds that HTTP requests in progress get at the stop.
_HTTP_GRACE = 8
#: Seconds that runs in progress get after that.
_RUN_GRACE = 10.0
_BACKLOG = 1024


def serve(settings: Settings, *, host: str, port: int) -> None:
    """Run the service until SIGTERM or SIGINT; returns after a graceful stop.

    :param port: 0 = any free one
    :raises CannotStart: port in use, state not writable or in use by another runtime
    """
    configure_logs(settings.log, settings.log_format)
    database = Database.open(settings.state_url)
    try:
        with database.claim_runtime("b1-runtime serve"), contextlib.closing(_listen(host, port)) as listener:
            asyncio.run(_run(settings, database, listener, host))
    finally:
        database.close()


async def _run(settings: Settings, database: Database, listener: socket.socket, host: str) -> None:
    address = f"http://{_literal(host)}:{listener.getsockname()[1]}"
    service = Service(settings, database, address=address)
    server = _Server(service, announce=lambda: _announce(settings, host, address))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await service.start()
    try:
        await server.serve(sockets=[listener])
    finally:
        await service.stop(_RUN_GRACE)
        log.info("runtime stopped")


class _Server(uvicorn.Server):
    def __init__(self, service: Service, *, announce: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                service.app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=_HTTP_GRACE,
            )
        )
        self._service = service
        self._announce = announce

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled by :meth:`stop`; uvicorn would raise them again at its end and spoil the exit code."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where the runtime is once it answers."""
        await super().startup(sockets)
        self._announce()

    def stop(self) -> None:
        """The first signal begins the graceful stop, the second one does not wait any longer."""
        if self.should_exit:
            self.force_exit = True
            self._service.hurry()
        else:
            log.info("stopping")
            self.should_exit = True
            self._service.begin_stop()


def _listen(host: str, port: int) -> socket.socket:
    try:
        [found, *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # With the protocol named, asyncio switches delayed sending (40 ms an answer) off.
        listener = socket.socket(*found[:3])
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(found[4])
            # At once: until a socket listens, another process may bind the same port.
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise CannotStart(
            f"无法监听端口 {port}，可能已被占用；请停止占用它的程序，或用 --port 换一个端口",
            f"Port {port} cannot be listened on, perhaps it is in use; stop the program that uses it, "
            "or choose another one with --port",
            where=f"{host}:{port}",
            remote=error.strerror or str(error),
        ) from error
    return listener


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _announce(settings: Settings, host: str, address: str) -> None:
    print(f"✓ 运行时已启动 The runtime is ready: {address}", file=sys.stderr, flush=True)
    if _is_loopback(host):
        return
    log.warning(
        "listening beyond this machine without TLS: put a TLS proxy in front and let in only /callbacks/, /flows/ and "
        "/WW_verify_*.txt",
        host=host,
    )
    if not settings.public_url:
        log.warning("B1_PUBLIC_URL is not set: addresses shown for callbacks and HTTP flows are this machine's own")
    elif not settings.public_url.startswith("https://"):
        log.warning("B1_PUBLIC_URL is not https: callbacks and AppCodes travel in the open")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
