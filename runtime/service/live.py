"""The mappings that the service carries out: the folder's files, reloaded while it runs.

A file that turns bad keeps its last good version in force until it is repaired; the trouble is reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from watchfiles import awatch

from runtime.errors import IntegrationError
from runtime.mapping.check import check_mapping
from runtime.mapping.folder import MappingFolder, StoredMapping
from runtime.mapping.models import Flow, Mapping
from runtime.mapping.problems import Problem

__all__ = ["LiveMappings"]

log = structlog.get_logger(__name__)

#: Milliseconds after which the folder is looked at even if no change was notified (network drives notify nothing).
_POLL_MS = 2000

#: What tells one state of the folder from another: name, time of change in ns, size.
_Signature = frozenset[tuple[str, int, int]]


class LiveMappings:
    """Last good version of every mapping, by id."""

    def __init__(self, folder: MappingFolder, path: Path) -> None:
        self._folder = folder
        self._path = path
        self._signature: _Signature | None = None
        self._good: dict[str, StoredMapping] = {}
        self._problems: dict[str, list[Problem]] = {}
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` on the event loop after every change."""
        self._listeners.append(listener)

    def get(self, mapping_id: str) -> Mapping | None:
        """The version in force, or None."""
        stored = self._good.get(mapping_id)
        return None if stored is None else stored.mapping

    def __iter__(self) -> Iterator[Mapping]:
        return iter([self._good[name].mapping for name in sorted(self._good)])

    def flows(self, *, enabled: bool = True) -> Iterator[tuple[Mapping, str, Flow]]:
        """Every flow of the enabled (or of the disabled) mappings."""
        for mapping in self:
            if mapping.enabled == enabled:
                for name, flow in mapping.flows.items():
                    yield mapping, name, flow

    @property
    def digests(self) -> dict[str, str]:
        """Mapping id → digest of the version in force."""
        return {name: stored.digest for name, stored in self._good.items()}

    @property
    def problems(self) -> dict[str, list[Problem]]:
        """Errors by mapping id (or file name) that keep a file from being taken up."""
        return dict(self._problems)

    @property
    def without_good_version(self) -> list[str]:
        """Mappings that do not run at all because their only version is bad."""
        return sorted(name for name in self._problems if name not in self._good)

    async def reload(self) -> None:
        """Look at the folder now, and take up what changed."""
        signature = await asyncio.to_thread(self._look)
        if signature == self._signature:
            return
        good, problems = await asyncio.to_thread(self._load)
        self._signature = signature
        before = {name: stored.digest for name, stored in self._good.items()}
        after = {name: stored.digest for name, stored in good.items()}
        worse = {name: found for name, found in problems.items() if found != self._problems.get(name)}
        self._good, self._problems = good, problems
        for name in sorted(after.keys() - before.keys()):
            log.info("mapping loaded", mapping=name)
        for name in sorted(before.keys() - after.keys()):
            log.info("mapping removed", mapping=name)
        for name in sorted(name for name in before.keys() & after.keys() if before[name] != after[name]):
            log.info("mapping changed", mapping=name)
        for name, found in sorted(worse.items()):
            first = found[0]
            log.error(
                "mapping is broken", mapping=name, where=first.where, zh=first.zh, en=first.en, errors=len(found),
                in_force="last good version" if name in good else "none",
            )  # fmt: skip
        if before != after or worse:
            for listener in self._listeners:
                listener()

    async def watch(self, stop: asyncio.Event) -> None:
        """Follow the folder until ``stop``."""
        while not stop.is_set():
            try:
                async for _ in awatch(
                    self._path, stop_event=stop, rust_timeout=_POLL_MS, yield_on_timeout=True, recursive=False
                ):
                    await self.reload()
            except (OSError, RuntimeError) as error:
                # The folder is missing, or the system has no watches left: look again after a while.
                log.debug("folder cannot be watched", folder=str(self._path), reason=str(error))
                await self.reload()
                await asyncio.sleep(_POLL_MS / 1000)

    def _look(self) -> _Signature:
        found = []
        try:
            for path in self._path.glob("*.json"):
                state = path.stat()
                found.append((path.name, state.st_mtime_ns, state.st_size))
        except OSError as error:
            log.warning("folder cannot be read", folder=str(self._path), reason=str(error))
        return frozenset(found)

    def _load(self) -> tuple[dict[str, StoredMapping], dict[str, list[Problem]]]:
        good: dict[str, StoredMapping] = {}
        problems: dict[str, list[Problem]] = {}
        for name in self._folder.ids():
            last = self._good.get(name)
            try:
                stored = self._folder.load(name)
                if last is not None and stored.digest == last.digest:
                    # The same object: the engine keeps it compiled.
                    good[name] = last
                    continue
                errors = [problem for problem in check_mapping(stored.mapping, None) if problem.level == "error"]
            except IntegrationError as error:
                stored, errors = None, [Problem("error", error.where or name, error.zh, error.en)]
            if stored is not None and not errors:
                good[name] = stored
                continue
            problems[name] = errors
            if last is not None:
                good[name] = last
        return good, problems
