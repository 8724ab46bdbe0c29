"""What the studio shares with the runtime: the folder of mappings and the state database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from runtime.config import Settings
from runtime.engine.check import check_together, check_with_connections
from runtime.engine.overlaps import Overlap, check_overlaps
from runtime.engine.pool import ConnectorPool
from runtime.errors import IntegrationError
from runtime.mapping.folder import MappingFolder
from runtime.mapping.models import Mapping
from runtime.mapping.problems import Problem
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault
from studio.bridge import Bridge
from studio.i18n import language, plain

__all__ = ["Workspace", "explain", "explained", "workspace"]


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
        others = [stored.mapping for stored in self.mappings.load_all()[0] if stored.mapping.id != mapping.id]
        together = self.bridge.run(check_together([*others, mapping], self.pool))
        return [*own, *(problem for name, problem in together if name == mapping.id)]

    def overlaps(self, mappings: Sequence[Mapping]) -> list[Overlap]:
        """Mappings that would send the same documents."""
        return self.bridge.run(check_overlaps(mappings, self.pool))

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
