"""Telling people that something is wrong, once, and once that it is over; it never holds anything up."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from runtime.config import DEFAULT_TIMEZONE
from runtime.errors import IntegrationError, RetryLater
from runtime.service.logs import scrub
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.incidents import Incident, close_incidents, list_incidents, open_incidents

__all__ = ["Alerts", "Messenger"]

log = structlog.get_logger(__name__)

#: Seconds between two messages: robots take twenty a minute.
_PAUSE = 4.0
#: Lines of one message; more are counted.
_LINES = 15
_LINE_LENGTH = 300
#: What waits to be told; the oldest is dropped beyond this.
_MOST_WAITING = 500
#: Seconds before each further attempt at a message that did not get through; the last one goes on for ever.
_AGAIN_AFTER = (5.0, 30.0, 120.0, 600.0)


class Messenger(Protocol):
    """Whoever brings a text to people."""

    async def send(self, text: str) -> None:
        """Send it, or raise an :class:`~runtime.errors.IntegrationError`."""


@dataclass(frozen=True)
class _Line:
    incident: Incident
    over: bool
    when: datetime


class Alerts:
    """Knows what is wrong at the moment. Without a messenger it does nothing.

    :param pause: seconds between two messages
    :param again_after: seconds before each further attempt at a message that did not get through; after the last of
        them it is tried again and again, together with what has come up meanwhile
    :param clock: the present moment
    """

    def __init__(
        self,
        database: Database,
        messenger: Messenger | None,
        *,
        pause: float = _PAUSE,
        again_after: tuple[float, ...] = _AGAIN_AFTER,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._pause = pause
        self._again_after = again_after
        self._clock = clock
        self._open: dict[str, Incident] = {}
        self._waiting: deque[_Line] = deque(maxlen=_MOST_WAITING)
        #: What people were told and the state does not know yet: it would be wrong after a restart.
        self._told: list[_Line] = []
        self._wake = asyncio.Event()

    async def load(self) -> None:
        """Remember what people were told before the last stop."""
        if self._messenger is not None:
            self._open = {one.key: one for one in await self._database.aread(list_incidents)}

    @property
    def open(self) -> frozenset[str]:
        """Keys of what is wrong now."""
        return frozenset(self._open)

    def raised(self, key: str, zh: str, en: str) -> None:
        """Something is wrong; told once until it is over.

        :param key: names the trouble
        """
        if self._messenger is None or key in self._open:
            return
        incident = Incident(key=key[:250], zh=_clean(zh), en=_clean(en), opened_at=self._clock())
        self._open[key] = incident
        self._tell(_Line(incident, over=False, when=incident.opened_at))

    def resolved(self, key: str) -> None:
        """It is over, if it was wrong."""
        incident = self._open.pop(key, None)
        if incident is not None:
            self._tell(_Line(incident, over=True, when=self._clock()))

    def _tell(self, line: _Line) -> None:
        self._waiting.append(line)
        self._wake.set()

    async def run(self) -> None:
        """Tell what there is to tell until cancelled."""
        while self._messenger is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._again_after[0] if self._told else None):
                    await self._wake.wait()
            self._wake.clear()
            await self._remember()
            failures = 0
            while self._waiting:
                lines = list(self._waiting)
                if await self._send(self._messenger, lines):
                    failures = 0
                    await asyncio.sleep(self._pause)
                else:
                    await asyncio.sleep(self._again_after[min(failures, len(self._again_after) - 1)])
                    failures += 1

    async def _send(self, messenger: Messenger, lines: list[_Line]) -> bool:
        """Whether people were told; what they were told waits no longer."""
        text = _message(lines)
        try:
            await messenger.send(text)
        except IntegrationError as error:
            log.warning("people could not be alerted; tried again later", reason=error.sentence("en"), text=text)
            return False
        told = set(map(id, lines))
        self._waiting = deque((line for line in self._waiting if id(line) not in told), maxlen=_MOST_WAITING)
        self._told += lines
        await self._remember()
        return True

    async def _remember(self) -> None:
        if not self._told:
            return
        try:
            await self._database.awrite(partial(_remember, lines=tuple(self._told)))
            self._told.clear()
        except RetryLater as error:
            log.warning("alerts are remembered later", reason=error.sentence("en"))


def _remember(connection: Connection, lines: Sequence[_Line]) -> None:
    for line in lines:
        if line.over:
            close_incidents(connection, [line.incident.key])
        else:
            open_incidents(connection, [line.incident])


def _message(lines: list[_Line]) -> str:
    shown = [f"B1 集成运行时 · B1 integration runtime · {socket.gethostname()}"]
    for line in lines[:_LINES]:
        when = line.when.astimezone(ZoneInfo(DEFAULT_TIMEZONE)).strftime("%m-%d %H:%M:%S")
        zh, en = line.incident.zh, line.incident.en
        if line.over:
            # What was promised for the time of trouble has been kept.
            zh, en = zh.removesuffix(f"。{RetryLater.hint_zh}"), en.removesuffix(f". {RetryLater.hint_en}")
        mark, zh, en = ("✓", f"已恢复：{zh}", f"Over: {en}") if line.over else ("✗", zh, en)
        shown.append(f"{mark} {when} {zh}\n   {en}")
    if len(lines) > _LINES:
        more = len(lines) - _LINES
        shown.append(f"…… 另有 {more} 条，见运行记录 · {more} more, see the run records")
    return "\n".join(shown)


def _clean(text: str) -> str:
    scrubbed = str(scrub(None, "", {"event": text})["event"])
    return scrubbed if len(scrubbed) <= _LINE_LENGTH else f"{scrubbed[:_LINE_LENGTH]}…"
