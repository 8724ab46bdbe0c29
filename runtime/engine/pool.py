"""Live connectors, opened once and shared by all runs."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from runtime.connectors.base import Connector
from runtime.connectors.registry import open_connector
from runtime.errors import BadConnection
from runtime.store.connections import ConnectionStore

__all__ = ["ConnectorPool", "Lease", "Pool"]


class Lease(Protocol):
    """Connectors for the duration of a run: none of them is closed meanwhile, even if its settings change."""

    async def get(self, name: str) -> Connector[Any]:
        """The connector of this name.

        :raises BadConnection: there is none, or its settings are wrong
        """


class Pool(Protocol):
    """Whatever hands out connectors."""

    def lease(self) -> AbstractAsyncContextManager[Lease]:
        """Connectors for the duration of the block."""


@dataclass(eq=False)
class _Open:
    connector: Connector[Any]
    version: datetime
    users: int = 0
    #: Its settings changed: nobody gets it any more, the last user closes it.
    retired: bool = False


class ConnectorPool:
    """Opens stored connections on first use, and anew when they were saved again. Belongs to one event loop."""

    def __init__(self, store: ConnectionStore, *, environ: Mapping[str, str] = os.environ) -> None:
        self._store = store
        self._environ = environ
        self._open: dict[str, _Open] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, name: str) -> Connector[Any]:
        """The connector as its settings are now. Inside a run use :meth:`lease`, which keeps it open.

        :raises BadConnection: there is none of this name, or its settings are wrong
        :raises SecretsLocked: the key does not open its secrets
        """
        return (await self._current(name)).connector

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease]:
        """Connectors for the duration of the block."""
        lease = _PoolLease(self._current)
        try:
            yield lease
        finally:
            for item in lease.items.values():
                item.users -= 1
                await _close_if_over(item)

    async def aclose(self) -> None:
        """Close every connector; call it when no run is in progress."""
        items = list(self._open.values())
        self._open.clear()
        for item in items:
            await item.connector.aclose()

    async def _current(self, name: str) -> _Open:
        async with self._locks[name]:
            try:
                document, version = await asyncio.to_thread(self._store.versioned, name)
            except BadConnection:
                # Names may come from strangers (callback addresses): those that do not exist must leave nothing here.
                self._locks.pop(name, None)
                raise
            item = self._open.get(name)
            if item is not None and item.version == version:
                return item
            fresh = _Open(open_connector(name, document, environ=self._environ), version)
            self._open[name] = fresh
        if item is not None:
            item.retired = True
            await _close_if_over(item)
        return fresh


class _PoolLease:
    def __init__(self, current: Callable[[str], Awaitable[_Open]]) -> None:
        self._current = current
        self._lock = asyncio.Lock()
        self.items: dict[str, _Open] = {}

    async def get(self, name: str) -> Connector[Any]:
        if name not in self.items:
            async with self._lock:
                if name not in self.items:
                    item = await self._current(name)
                    item.users += 1
                    self.items[name] = item
        return self.items[name].connector


async def _close_if_over(item: _Open) -> None:
    if item.retired and item.users <= 0:
        await item.connector.aclose()
