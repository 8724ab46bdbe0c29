"""Mappings in force that send the same documents: said at start and when mappings change, not at every tick."""

from __future__ import annotations

import asyncio

import structlog

from runtime.engine.overlaps import check_overlaps
from runtime.engine.pool import Pool
from runtime.service.live import LiveMappings

__all__ = ["Doubles"]

log = structlog.get_logger(__name__)


class Doubles:
    """Compares the mappings beside everything else: it takes tens of milliseconds of each, and nothing waits for it."""

    def __init__(self, live: LiveMappings, pool: Pool) -> None:
        self._live = live
        self._pool = pool
        self._changed = asyncio.Event()
        self._changed.set()
        live.on_change(self._changed.set)
        #: Mapping id → digest, as they were compared last.
        self._compared: dict[str, str] = {}
        #: The pairs that were found then.
        self._known: set[frozenset[str]] = set()

    async def run(self) -> None:
        """Say what is new until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._live.digests != self._compared:
                try:
                    await self._compare()
                except BaseException:
                    # Whoever begins this anew finds it still to be done.
                    self._changed.set()
                    raise

    async def _compare(self) -> None:
        digests = self._live.digests
        async with self._pool.lease() as lease:
            found = await check_overlaps(self._live, lease)
        self._compared = digests
        known: set[frozenset[str]] = set()
        for one in found:
            pair = frozenset((one.mapping, one.other))
            if pair not in known | self._known:
                log.warning(
                    "two mappings send the same documents",
                    mapping=one.mapping,
                    other=one.other,
                    where=one.problem.where,
                    zh=f"{one.problem.zh}。在此之前，单据归先处理它的那个，另一个跳过；之后另一个若仍查得到它，会再次发起",
                    en=f"{one.problem.en}. Until then a document goes to whichever comes first and the other one skips "
                    "it, but sends it too if it still finds it later",
                )
            known.add(pair)
        self._known = known
