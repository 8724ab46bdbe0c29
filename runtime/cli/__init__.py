"""The command line ``b1-runtime``: one module per group of commands, loaded only when it is used."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process.

    Exit codes: 0 done, 1 a document, check or test failed, 2 wrong usage or set-up.
    """
    from runtime.cli.app import start

    start(arguments)
