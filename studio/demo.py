"""``make demo``: sandbox, runtime and studio together on loopback, until Ctrl-C.

Every part is the real command in a process of its own; this module checks the ground, hands out the addresses, saves
the demo connections, watches the processes and stops them all.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from runtime.config import Settings
from runtime.errors import CannotStart, IntegrationError
from runtime.sandbox import demo as sandbox_demo
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault

__all__ = ["main"]

_HOST = "127.0.0.1"
#: Seconds that a part may take until it answers.
_START_LIMIT = 90.0
#: Seconds that a part may take to stop before it is killed.
_STOP_LIMIT = 20.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of the three processes."""

    name: str
    port: int
    #: Option of this command that names the port.
    option: str
    command: Sequence[str]
    #: Path that answers 200 once the part is ready.
    ready: str
    log: Path

    @property
    def address(self) -> str:
        return f"http://{_HOST}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A part that was started."""

    part: Part
    process: subprocess.Popen[bytes]
    #: Where in its log, in bytes, what it writes itself begins.
    log_start: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo; exit code 0 after Ctrl-C, 1 when a part could not start or died."""
    options = _options(arguments)
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    running: list[Running] = []
    status = 0
    try:
        parts = _parts(options)
        _check_ground(options.var, parts)
        for part in parts:
            running.append(_start(part, options.var, options.mappings))
            _wait_until_ready(running[-1], stopping=lambda: stopping)
            if stopping:
                break
            if part is parts[0]:
                # Not before: the sandbox refuses a folder in use, and another demo's connections must stay as they are.
                _save_connections(options.var, part.address)
        if not stopping:
            _announce(parts)
        while not stopping:
            _check_alive(running)
            time.sleep(0.2)
    except IntegrationError as error:
        print(f"\n✗ {error.sentence('zh-CN')}\n  {error.sentence('en')}", file=sys.stderr)
        status = 1
    finally:
        _stop(running)
    sys.exit(status)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="沙箱、运行时和工作台 / sandbox, runtime, studio")
    parser.add_argument("--var", type=Path, default=Path("var/demo"), help="状态目录 / folder for all state")
    parser.add_argument("--mappings", type=Path, default=Path("mappings"), help="映射目录 / folder with the mappings")
    parser.add_argument("--sandbox-port", type=int, default=8765)
    parser.add_argument("--runtime-port", type=int, default=8766)
    parser.add_argument("--studio-port", type=int, default=8501)
    return parser.parse_args(arguments)


def _parts(options: argparse.Namespace) -> list[Part]:
    logs = options.var / "log"
    python = [sys.executable, "-m"]
    callbacks = f"http://{_HOST}:{options.runtime_port}/callbacks"
    return [
        Part(
            name="沙箱 sandbox",
            port=options.sandbox_port,
            option="--sandbox-port",
            command=[
                *python, "runtime.cli", "--var", str(options.var), "sandbox",
                "--port", str(options.sandbox_port), "--callback", f"{callbacks}/{sandbox_demo.DINGTALK_CONNECTION}",
                "--wecom-callback", f"{callbacks}/{sandbox_demo.WECOM_CONNECTION}",
            ],
            ready="/",
            log=logs / "sandbox.log",
        ),
        Part(
            name="运行时 runtime",
            port=options.runtime_port,
            option="--runtime-port",
            command=[
                *python, "runtime.cli", "--var", str(options.var), "--mappings", str(options.mappings), "serve",
                "--port", str(options.runtime_port),
            ],
            ready="/readyz",
            log=logs / "runtime.log",
        ),
        Part(
            name="工作台 studio",
            port=options.studio_port,
            option="--studio-port",
            command=[*python, "studio.launcher", "--port", str(options.studio_port)],
            ready="/_stcore/health",
            log=logs / "studio.log",
        ),
    ]  # fmt: skip


def _check_ground(var: Path, parts: Sequence[Part]) -> None:
    try:
        (var / "log").mkdir(parents=True, exist_ok=True)
        probe = var / "log" / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            "状态目录不可写，请检查权限或用 --var 换一个目录",
            "The state folder is not writable: check its permissions or name another one with --var",
            where=f"{var} ({error.strerror})",
        ) from error
    for part in parts:
        with socket.socket() as probe_socket:
            probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe_socket.bind((_HOST, part.port))
            except OSError as error:
                another = f"make demo ARGS='{part.option} {part.port + 1}'"
                raise CannotStart(
                    f"端口 {part.port} 已被占用，请停止占用它的程序，或换一个端口：{another}",
                    f"Port {part.port} is in use: stop the program that uses it, or take another port: {another}",
                    where=part.name,
                ) from error


def _save_connections(var: Path, sandbox: str) -> None:
    settings = Settings(var=var)
    database = Database.open(settings.state_url)
    try:
        store = ConnectionStore(database, Vault(settings.key_file, settings.secret_key))
        documents = sandbox_demo.connections(sandbox)
        registration = httpx.get(f"{sandbox}/control/weaver/registration", timeout=30, trust_env=False).json()
        documents[sandbox_demo.WEAVER_CONNECTION] |= registration
        for name, document in documents.items():
            store.save(name, document)
    finally:
        database.close()


def _start(part: Part, var: Path, mappings: Path) -> Running:
    print(f"… 正在启动 Starting {part.name}", flush=True)
    environment = {**os.environ, "B1_VAR": str(var), "B1_MAPPINGS": str(mappings), "PYTHONUNBUFFERED": "1"}
    with part.log.open("ab") as log:
        # A process group of its own: Ctrl-C reaches this process alone, which then stops the parts in order.
        log_start = log.tell()
        process = subprocess.Popen(  # noqa: S603  (our own commands, no shell)
            list(part.command), stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    return Running(part=part, process=process, log_start=log_start)


def _wait_until_ready(started: Running, *, stopping: Callable[[], bool]) -> None:
    part = started.part
    deadline = time.monotonic() + _START_LIMIT
    while not stopping():
        _check_alive([started])
        try:
            if httpx.get(part.address + part.ready, timeout=2, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise CannotStart(
                f"{_START_LIMIT:.0f} 秒内没有就绪", f"It was not ready within {_START_LIMIT:.0f} seconds",
                where=f"{part.name}, {part.log}",
            )  # fmt: skip
        time.sleep(0.2)


def _check_alive(running: Sequence[Running]) -> None:
    for one in running:
        if one.process.poll() is not None:
            log = one.part.log
            tail = log.read_bytes()[one.log_start :].decode(errors="replace").strip().splitlines()[-8:]
            raise CannotStart(
                "进程意外结束，其日志末尾如下", "The process ended unexpectedly; the end of its log follows",
                where=f"{one.part.name}, {log}", remote="\n    " + "\n    ".join(tail) + "\n    ",
            )  # fmt: skip


def _announce(parts: Sequence[Part]) -> None:
    sandbox, runtime, studio = (part.address for part in parts)
    print(
        f"""
✓ 演示环境已就绪 The demo is ready

    工作台 Studio                 {studio}
    沙箱审批待办 OA inbox          {sandbox}/inbox
    沙箱 B1 单据 B1 documents      {sandbox}/documents
    运行时状态 Runtime health      {runtime}/readyz

  一分钟内，沙箱 B1 中未同步的采购申请草稿会出现在钉钉待办中；点“同意”或“拒绝”，几秒后结果写回 B1。
  Within a minute the unsynced purchase-request drafts stand in the inbox; approve or refuse one, and seconds later
  B1 carries the verdict.

  按 Ctrl-C 停止全部。 Ctrl-C stops everything.
""",
        flush=True,
    )


def _stop(running: Sequence[Running]) -> None:
    if not running:
        return
    print("\n… 正在停止 Stopping", flush=True)
    for one in reversed(running):
        if one.process.poll() is None:
            one.process.terminate()
    for one in reversed(running):
        try:
            one.process.wait(timeout=_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            print(f"  {one.part.name} 未按时停止，强制结束 did not stop in time and was killed", flush=True)
            one.process.kill()
            one.process.wait()
    print("✓ 已全部停止 All stopped", flush=True)


if __name__ == "__main__":
    main()
