"""What the studio shares with the runtime: the folder of mappings and the state database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import streamlit as st

from runtime.config import Settings
from runtime.engine.check import check_with_connections
from runtime.engine.overlaps import Overlap, collisions, companies
from runtime.engine.pool import ConnectorPool
from runtime.engine.submissions import Submission, submissions
from runtime.errors import IntegrationError
from runtime.mapping.choosing import names_of
from runtime.mapping.folder import MappingFolder
from runtime.mapping.models import Mapping
from runtime.mapping.problems import Problem
from runtime.mapping.shared_verdicts import shared_verdicts
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault
from studio.bridge import Bridge
from studio.i18n import language, plain

__all__ = ["Workspace", "explain", "explained", "workspace"]


#: Seconds for which what a filter demands counts as known: it may tell of the present time.
_FILTERS_HOLD: Final = 600


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Everything a page works on; one for all sessions of the process."""

    settings: Settings
    database: Database
    vault: Vault
    connections: ConnectionStore
    mappings: MappingFolder
    pool: ConnectorPool
    bridge: Bridge

    @property
    def private(self) -> Path:
        """The studio's own folder, for drafts that are not saved yet."""
        return self.settings.var / "studio"

    def problems(self, mapping: Mapping) -> list[Problem]:
        """What is wrong with a mapping, and what may be, judged with this workspace's connections and beside its other
        mappings.
        """
        own = self.bridge.run(check_with_connections(mapping, self.pool))
        all_of_them = [*(one.mapping for one in self.mappings.load_all()[0] if one.mapping.id != mapping.id), mapping]
        shared = [problem for name, problem in shared_verdicts(all_of_them) if name == mapping.id]
        return [*own, *(one.problem for one in self.overlaps(all_of_them) if one.mapping == mapping.id), *shared]

    def overlaps(self, mappings: Sequence[Mapping]) -> list[Overlap]:
        """Mappings that would send the same documents; only one that has changed is looked into anew."""
        enabled = [mapping for mapping in mappings if mapping.enabled]
        return list(_overlaps(enabled, self.bridge.run(companies(enabled, self.pool))))

    def titles(self) -> dict[str, str]:
        """Id of each mapping that can be read → its title."""
        return {one.mapping.id: one.mapping.title for one in self.mappings.load_all()[0]}

    def close(self) -> None:
        """Close connections, loop and database."""
        self.bridge.run(self.pool.aclose())
        self.bridge.close()
        self.database.close()


def workspace() -> Workspace:
    """The workspace of the current settings (environment ``B1_…``), opened on first use.

    :raises IntegrationError: the state database or the mappings cannot be opened
    """
    return _open(Settings())


@st.cache_resource(
    show_spinner=False, max_entries=1, on_release=Workspace.close, hash_funcs={Settings: Settings.model_dump_json}
)
def _open(settings: Settings) -> Workspace:
    database = Database.open(settings.state_url)
    vault = Vault(settings.key_file, settings.secret_key)
    connections = ConnectionStore(database, vault)
    return Workspace(
        settings=settings,
        database=database,
        vault=vault,
        connections=connections,
        mappings=MappingFolder(settings.mappings),
        pool=ConnectorPool(connections),
        bridge=Bridge(),
    )


_REMEMBERED: Final[dict[str, Any]] = {"show_spinner": False, "hash_funcs": {Mapping: Mapping.model_dump_json}}


@st.cache_resource(ttl=_FILTERS_HOLD, max_entries=16, **_REMEMBERED)
def _overlaps(enabled: Sequence[Mapping], owners: dict[str, str]) -> tuple[Overlap, ...]:
    return tuple(collisions([one for mapping in enabled for one in _sent(mapping, _own(mapping, owners))]))


@st.cache_resource(ttl=_FILTERS_HOLD, max_entries=1024, **_REMEMBERED)
def _sent(mapping: Mapping, owners: dict[str, str]) -> tuple[Submission, ...]:
    return tuple(submissions(mapping, lambda name: owners.get(name, name), datetime.now(UTC)))


def _own(mapping: Mapping, owners: dict[str, str]) -> dict[str, str]:
    return {name: owners[name] for role in mapping.connections for name in names_of(mapping, role)}


def explain(error: IntegrationError) -> None:
    """Show an error as its sentence in the session's language."""
    st.error(plain(error.sentence(language())), icon=":material/error:")


@contextmanager
def explained() -> Iterator[None]:
    """Errors that the product raises on purpose become a sentence on the page and end the block, not the page."""
    try:
        yield
    except IntegrationError as error:
        explain(error)
