"""The application: global options, the commands, and how errors reach the person.

The modules of the commands import their machinery inside the functions, so that ``--help`` stays quick and a command
pays only for what it uses.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from runtime.cli import (
    appcodes,
    callbacks,
    check,
    connections,
    deliveries,
    run,
    runs,
    sandbox,
    schema,
    serve,
    templates,
)
from runtime.cli.output import complain, say
from runtime.cli.workspace import Workspace

__all__ = ["build", "start"]

_SETUP_ERROR = 2
_INTERRUPTED = 130
#: Global options with a value; they may stand before or behind the command.
_GLOBAL_VALUES = ("--var", "--state", "--mappings")
_GLOBAL_FLAGS = ("--debug",)
_LISTS = (["runs"], ["deliveries"], ["callbacks"])
_EPILOG = (
    "全局选项可放在命令之前或之后；也可用环境变量 B1_VAR、B1_STATE、B1_MAPPINGS、B1_LOG … 设定。"
    "Global options may stand before or behind the command; the environment (B1_VAR, B1_STATE …) sets them too."
)


def build() -> typer.Typer:
    """The application with all its commands."""
    app = typer.Typer(
        name="b1-runtime",
        help="SAP Business One 集成运行时 · Integration runtime for SAP Business One",
        epilog=_EPILOG,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(no_args_is_help=True)(_global_options)
    app.command("serve", short_help="启动运行时 · Start the runtime")(serve.serve)
    app.command("run", short_help="立即执行一个映射 · Carry out a mapping now")(run.run)
    app.command("check", short_help="检查映射 · Check mappings")(check.check)
    app.add_typer(connections.app, name="connections", short_help="连接 · Connections")
    app.add_typer(callbacks.app, name="callbacks", short_help="回调 · Callbacks")
    app.add_typer(runs.app, name="runs", short_help="运行记录 · Run records")
    app.add_typer(deliveries.app, name="deliveries", short_help="交付台账 · Deliveries")
    app.add_typer(appcodes.app, name="appcodes", short_help="HTTP 流程的 AppCode · AppCodes of HTTP flows")
    app.add_typer(templates.app, name="templates", short_help="模板 · Templates")
    app.command("sandbox", short_help="启动沙箱 · Start the sandbox")(sandbox.sandbox)
    app.command("schema", short_help="映射文件的 JSON Schema · JSON Schema of mapping files")(schema.schema)
    return app


def _global_options(
    context: typer.Context,
    *,
    var: Annotated[
        Path | None, typer.Option(help="状态目录（默认 var）· Folder for state", metavar="DIR", show_default=False)
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            help="状态数据库地址（默认状态目录中的 SQLite）· State database", metavar="URL", show_default=False
        ),
    ] = None,
    mappings: Annotated[
        Path | None,
        typer.Option(help="映射目录（默认 mappings）· Folder of mappings", metavar="DIR", show_default=False),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="出错时显示详情 · Show tracebacks")] = False,
) -> None:
    log = "debug" if debug else None
    workspace = Workspace(given={"var": var, "state": state, "mappings": mappings, "log": log})
    context.obj = workspace
    context.call_on_close(workspace.close)


def start(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` (default: the process's own) name, and exit."""
    given = _hoist(list(sys.argv[1:] if arguments is None else arguments))
    debug = "--debug" in given or os.environ.get("B1_LOG", "").lower() == "debug"
    try:
        code = build()(args=given, prog_name="b1-runtime", standalone_mode=False)
    except typer.Abort:
        code = _INTERRUPTED
    except Exception as error:
        explain = getattr(error, "format_message", None)
        if explain is not None:
            # A command without arguments shows its help, which needs no heading.
            text = explain()
            say(text if "\n" in text else f"✗ 命令用法不对（-h 可查看帮助） · Wrong usage (see -h): {text}")
        elif debug:
            raise
        else:
            complain(error)
        code = _SETUP_ERROR
    sys.exit(code if isinstance(code, int) else 0)


def _hoist(arguments: list[str]) -> list[str]:
    """Global options first, wherever they stood; what follows ``--`` is left alone.

    ``--state`` is also a filter of the lists of runs, deliveries and callbacks: there only an address is the global
    option.
    """
    front: list[str] = []
    rest: list[str] = []
    position = 0
    while position < len(arguments):
        word = arguments[position]
        if word == "--":
            rest += arguments[position:]
            break
        name, joined, value = word.partition("=")
        if name == "--state" and rest[:1] in _LISTS:
            value = value if joined else "".join(arguments[position + 1 : position + 2])
            (front if "://" in value else rest).extend(("--state", value))
            position += not joined
        elif word in _GLOBAL_FLAGS or (joined and name in _GLOBAL_VALUES):
            front.append(word)
        elif word in _GLOBAL_VALUES:
            front += arguments[position : position + 2]
            position += 1
        else:
            rest.append(word)
        position += 1
    return front + rest
