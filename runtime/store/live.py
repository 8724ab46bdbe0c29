"""What the live runtime made of each mapping file: for those who look at the state from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from runtime.store.columns import utc_now
from runtime.store.tables import live_mappings

__all__ = ["LiveMapping", "list_live", "save_live"]


@dataclass(frozen=True, kw_only=True)
class LiveMapping:
    """One mapping as the runtime sees it; times are UTC. Means something only while a runtime is alive."""

    mapping: str
    #: Digest of the version in force; empty = none, because the file was never good.
    digest: str
    #: Why the file as it is now is not taken up: dicts of ``where``, ``zh``, ``en``; empty = it is.
    problems: Sequence[Mapping[str, str]]
    #: Flow → when its schedule is due next.
    next_runs: Mapping[str, datetime]
    updated_at: datetime


def save_live(connection: Connection, states: Sequence[Mapping[str, Any]]) -> None:
    """Replace what was said before.

    :param states: dicts of ``mapping``, ``digest``, ``problems``, ``next_runs`` (flow → aware datetime)
    """
    now = utc_now()
    connection.execute(delete(live_mappings))
    if states:
        rows = [
            {
                **state,
                "next_runs": {flow: when.isoformat() for flow, when in state["next_runs"].items()},
                "updated_at": now,
            }
            for state in states
        ]
        connection.execute(insert(live_mappings), rows)


def list_live(connection: Connection) -> list[LiveMapping]:
    """All of them, sorted by id."""
    return [
        LiveMapping(
            **{
                **row,
                "next_runs": {flow: datetime.fromisoformat(when) for flow, when in row["next_runs"].items()},
            }
        )
        for row in connection.execute(select(live_mappings).order_by(live_mappings.c.mapping)).mappings()
    ]
