"""What the commands print: results on stdout, everything for people about them on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from runtime.errors import IntegrationError, Refused

__all__ = ["State", "check_states", "complain", "local_time", "pretty_json", "print_table", "say"]

#: States and levels as people read them.
_WORDS = {
    "queued": "排队 queued",
    "new": "未处理 new",
    "working": "处理中 working",
    "running": "运行中 running",
    "succeeded": "成功 succeeded",
    "partial": "部分失败 partial",
    "failed": "失败 failed",
    "stopped": "已停止 stopped",
    "skipped": "跳过 skipped",
    "done": "成功 done",
    "open": "进行中 open",
    "complete": "已完成 complete",
    "unknown": "结果未知 unknown",
    "resolved": "已人工处理 resolved",
    "error": "错误 error",
    "warning": "警告 warning",
    "schedule": "定时 schedule",
    "event": "回调 event",
    "http": "HTTP",
    "manual": "手动 manual",
}
_STYLES = {
    "succeeded": "green", "failed": "red", "error": "red", "partial": "yellow", "warning": "yellow",
    "unknown": "yellow", "complete": "green",
}  # fmt: skip


def say(text: str) -> None:
    """One line for the person, on stderr: stdout stays clean for results."""
    print(text, file=sys.stderr, flush=True)


def complain(error: BaseException) -> None:
    """One error as one clear message in both languages, without a traceback."""
    if isinstance(error, IntegrationError):
        say(f"✗ {error.sentence('zh-CN')}\n  {error.sentence('en')}")
    else:
        detail = f"{type(error).__name__}: {error}"
        say(
            f"✗ 程序出现意外错误（{detail}）；加 --debug 可看到详情\n"
            f"  An unexpected error ({detail}); --debug shows the details"
        )


class State(str):
    """A state or level: shown in both languages, coloured on a terminal."""

    __slots__ = ()

    @property
    def words(self) -> str:
        """Both languages."""
        return _WORDS.get(self, str(self))

    @property
    def style(self) -> str:
        """The colour it is shown in."""
        return _STYLES.get(self, "")


def check_states(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a filter by a state that does not exist: an empty list would look like good news.

    :raises Refused: at least one of the states given is not known
    """
    wrong = set(given) - set(known)
    if wrong:
        states = ", ".join(known)
        raise Refused(
            f"没有这样的状态（有：{states}）", f"There is no such state (there are: {states})",
            where=", ".join(sorted(wrong)),
        )  # fmt: skip


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; plain text when stdout is not a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell.words, cell.style) if isinstance(cell, State) else Text(_text(cell)) for cell in row))
    console = Console()
    if console.is_terminal:
        console.print(table)
        return
    # A pipe or file has no width: nothing may be cut off or padded there.
    text = StringIO()
    Console(file=text, width=10_000).print(table)
    print("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def _text(cell: object) -> str:
    if isinstance(cell, datetime):
        return local_time(cell)
    return "" if cell is None else str(cell)


def local_time(moment: datetime | None, timezone: str | None = None) -> str:
    """A moment (UTC) in the given zone, or in this machine's, to the second; empty for None."""
    if moment is None:
        return ""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(ZoneInfo(timezone) if timezone else None).strftime("%Y-%m-%d %H:%M:%S")


def pretty_json(value: Any) -> str:
    """Indented JSON; decimals as plain numbers."""
    import msgspec

    from runtime import jsontext

    return msgspec.json.format(jsontext.dumps(value), indent=2).decode()
