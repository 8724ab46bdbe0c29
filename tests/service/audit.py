"""Looks for secrets through everything that the product said or wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import select
from typer.testing import CliRunner

from runtime.cli.app import build
from runtime.store.tables import metadata

__all__ = ["Audit", "Evidence"]

#: Runs that are looked at with their steps, one of each flow and state.
_RUNS = 6


class Evidence:
    """Everything that the product said or wrote, by where it was found."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}

    def add(self, where: str, what: str | bytes) -> None:
        self.found[where] = self.found.get(where, b"") + (what.encode() if isinstance(what, str) else what)

    def leaks(self, secrets: Mapping[str, str]) -> list[str]:
        """Where which secret stands."""
        return [
            f"{name} in {where}: …{self._around(content, value)}…"
            for where, content in self.found.items()
            for name, value in secrets.items()
            if value.encode() in content
        ]

    @staticmethod
    def _around(content: bytes, value: str) -> str:
        at = content.index(value.encode())
        return content[max(0, at - 80) : at + 40].decode(errors="replace")


class Audit:
    """Uses the product as a person would, and keeps everything that it says.

    :param folder: where it may write
    :param secrets: what must show nowhere, by name
    """

    def __init__(self, desk: Any, folder: Path, secrets: Mapping[str, str]) -> None:
        self.desk = desk
        self.folder = folder
        self.evidence = Evidence()
        self.secrets = dict(secrets)

    def command(self, *arguments: str) -> str:
        """One command to its end; what it prints."""
        done = self.desk.command(*arguments)
        return self._said(arguments, done.stdout, done.stderr)

    def quick_command(self, *arguments: str, **environment: str) -> str:
        """:meth:`command` in this process, where there is no need for another one."""
        where = ["--var", str(self.desk.var), "--mappings", str(self.desk.mappings)]
        done = CliRunner().invoke(build(), [*where, *arguments], env=environment)
        return self._said(arguments, done.stdout, f"{done.stderr}{done.exception or ''}")

    def _said(self, arguments: tuple[str, ...], output: str, errors: str) -> str:
        name = " ".join(arguments[:2])
        self.evidence.add(f"output of {name}", output)
        self.evidence.add(f"errors of {name}", errors)
        return output

    def look_at_runs(self, pid: int) -> None:
        """The arguments of the runtime's processes, and what is shown of one run of each kind."""
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            self.evidence.add("process arguments", "\0".join(one.cmdline()))
        shown: dict[str, str] = {}
        for line in self.quick_command("runs", "list").splitlines():
            if re.match(r"\d{8}-", line):
                run, _, rest = line.partition(" ")
                shown.setdefault(rest.split()[-1] + rest.split()[0], run)
        for run in list(shown.values())[:_RUNS]:
            self.quick_command("runs", "show", run, "--steps")

    def look_at_files(self) -> None:
        """Every byte that is kept, but for the key itself, and every row as it reads unpacked."""
        for table in metadata.sorted_tables:
            rows = self.desk.read(lambda connection, table=table: connection.execute(select(table)).all())
            self.evidence.add(f"rows of {table.name}", "\n".join(str(tuple(row)) for row in rows))
        self._look_at_bytes()
        self.secrets["key"] = (self.desk.var / "secret.key").read_text().strip()
        self.quick_command("connections", "rotate-key")
        self.secrets["new key"] = (self.desk.var / "secret.key").read_text().strip()
        self._look_at_bytes()

    def _look_at_bytes(self) -> None:
        for folder in (self.desk.var, self.desk.mappings):
            for file in sorted(folder.rglob("*")):
                if file.is_file() and file.name != "secret.key":
                    self.evidence.add(f"bytes of {file.name}", file.read_bytes())
