"""``b1-studio``: starts the Streamlit app, on this machine only, because it holds the customers' keys."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import CannotStart

__all__ = ["main"]

HOST = "127.0.0.1"


def main(argv: Sequence[str] | None = None) -> int:
    """Start the studio; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        _require_streamlit()
        _require_port(options.port)
    except CannotStart as error:
        print(error.zh, error.en, sep="\n", file=sys.stderr)
        return 1
    for name in ("mappings", "state", "var"):
        if value := getattr(options, name):
            os.environ[f"B1_{name.upper()}"] = value
    from streamlit.web import cli  # noqa: PLC0415  the plain install has no Streamlit; the sentence above says so

    app = Path(__file__).with_name("app.py")
    try:
        cli.main(["run", str(app), *_flags(options.port)], standalone_mode=False)
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="b1-studio", description="B1 集成工作台 · B1 Integration Studio")
    parser.add_argument("--port", type=int, default=8501, help="端口 · port (8501)")
    parser.add_argument("--mappings", help="映射文件夹 · folder of mappings (B1_MAPPINGS)")
    parser.add_argument("--state", help="状态数据库 URL · URL of the state database (B1_STATE)")
    parser.add_argument("--var", help="数据文件夹 · data folder (B1_VAR)")
    return parser


def _flags(port: int) -> list[str]:
    settings = {
        "server.address": HOST,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "server.maxUploadSize": "10",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "theme.primaryColor": "#1f6feb",
    }
    return [f"--{name}={value}" for name, value in settings.items()]


def _require_streamlit() -> None:
    if importlib.util.find_spec("streamlit") is None:
        raise CannotStart(
            "缺少工作台组件，请先执行 pip install 'b1-integration-studio[studio]'",
            "The studio's parts are not installed: run pip install 'b1-integration-studio[studio]'",
        )


def _require_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise CannotStart(
                f"端口 {port} 无法使用（{error}），请用 --port 换一个端口",
                f"Port {port} cannot be used ({error}): choose another with --port",
            ) from error


if __name__ == "__main__":
    sys.exit(main())
