"""Running the sandbox: one process, one port on loopback, a graceful stop."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from filelock import FileLock, Timeout

from runtime.errors import CannotStart
from runtime.sandbox import demo
from runtime.sandbox.app import DATA_FILE, create_app
from runtime.sandbox.faults import KINDS, FaultSettings, parse_faults

__all__ = ["serve"]

#: Seconds that open requests get to finish when the sandbox stops.
_GRACE = 2


def serve(
    host: str = demo.HOST,
    port: int = demo.PORT,
    var: Path | None = None,
    *,
    fresh: bool = False,
    latency_ms: float = 0.0,
    faults: Sequence[str] = (),
    seed: int = 1,
    callback_url: str | None = None,
    wecom_callback_url: str | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Runs the sandbox until SIGINT or SIGTERM.

    :param port: 0 = any free one
    :param var: folder that keeps the state, or None to keep it in memory
    :param fresh: begin with the demo data again
    :param latency_ms: added to every call of the simulators
    :param faults: shares of failing calls, such as ``reset_after=0.02``
    :param seed: makes the faults repeatable
    :param callback_url: DingTalk's callback address; None = as saved before
    :param wecom_callback_url: the same for WeCom
    :param started: called with the address once requests are answered
    :raises CannotStart: port in use, not a loopback address, folder not writable or used by another sandbox, a fault
        that does not exist
    """
    settings = _fault_settings(latency_ms, faults, seed)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(_listen(host, port)))
        address = f"http://{_host_text(host)}:{listener.getsockname()[1]}"
        if var is not None:
            stack.enter_context(_locked(var))
            if fresh:
                _remove_data(var)
        app = create_app(
            var=var,
            base_url=address,
            faults=settings,
            callback_url=callback_url,
            wecom_callback_url=wecom_callback_url,
        )
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="on",
            ws="wsproto",
            timeout_graceful_shutdown=_GRACE,
            server_header=False,
        )
        _Server(config, address, started).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, address: str, started: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._address = address
        self._announce = started

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal ends the server, not the program: the caller goes on after :func:`serve`."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says where the sandbox is once it answers."""
        await super().startup(sockets)
        if self.started and self._announce is not None:
            self._announce(self._address)


def _fault_settings(latency_ms: float, faults: Sequence[str], seed: int) -> FaultSettings:
    try:
        return FaultSettings(latency_ms=latency_ms, rates=parse_faults(list(faults)), seed=seed)
    except ValueError as error:
        kinds = ", ".join(KINDS)
        raise CannotStart(
            f"故障设置无效，应形如 reset_after=0.02；可用的有：{kinds}",
            f"A fault setting is not valid; write e.g. reset_after=0.02; there are: {kinds}",
            where=" ".join(faults),
            remote=str(error),
        ) from error


def _host_text(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise CannotStart(
            "沙箱使用公开的演示密码，只能监听本机回环地址（127.0.0.1）",
            "The sandbox has published demo passwords: it listens on loopback (127.0.0.1) only",
            where=host,
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Naming the protocol matters: asyncio sets TCP_NODELAY only where it is given, else every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        raise CannotStart(
            "沙箱的端口无法使用，可能已被占用；请换一个端口（--port）",
            "The sandbox's port cannot be used, perhaps it is taken; choose another one (--port)",
            where=f"{_host_text(host)}:{port}",
            remote=str(error),
        ) from error
    return listener


@contextlib.contextmanager
def _locked(var: Path) -> Iterator[None]:
    """One sandbox per folder."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        lock = FileLock(var / "sandbox.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise CannotStart("该文件夹正被另一个沙箱使用", "Another sandbox uses this folder", where=str(var)) from error
    except OSError as error:
        raise CannotStart(
            "沙箱的文件夹无法写入", "The sandbox's folder cannot be written", where=str(var), remote=str(error)
        ) from error
    try:
        yield
    finally:
        lock.release()


def _remove_data(var: Path) -> None:
    for name in (DATA_FILE, f"{DATA_FILE}-wal", f"{DATA_FILE}-shm"):
        (var / name).unlink(missing_ok=True)
