"""Stored connections: settings in the open, secrets sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from runtime import jsontext
from runtime.connectors.registry import check_settings, secret_fields
from runtime.errors import BadConnection, SecretsLocked
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.sealed import begin_sealing
from runtime.store.tables import connections
from runtime.store.vault import Vault

__all__ = ["ConnectionInfo", "ConnectionStore"]


@dataclass(frozen=True, kw_only=True)
class ConnectionInfo:
    """A connection as it may be shown: no secret, only which ones are set."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    secret_names: tuple[str, ...]
    #: UTC; another moment, another version.
    updated_at: datetime

    @property
    def address(self) -> str:
        """Where the other system is: an address, or a database's URL."""
        return str(self.settings.get("base_url") or self.settings.get("url") or "")


class ConnectionStore:
    """Connections by name. A document is one value of ``connections.json``: ``kind``, settings, secrets.

    A secret given as ``{"env": "NAME"}`` is a reference, not a secret, and is stored in the open.
    """

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    def names(self) -> list[str]:
        """All names, sorted."""
        query = select(connections.c.name).order_by(connections.c.name)
        return self._db.read(lambda connection: list(connection.scalars(query)))

    def get(self, name: str) -> ConnectionInfo:
        """One connection.

        :raises BadConnection: there is none of this name
        """
        return _info(self._row(name))

    def document(self, name: str) -> dict[str, Any]:
        """The whole document with its secrets, as :func:`~runtime.connectors.registry.open_connector` takes it.

        :raises BadConnection: there is none of this name
        :raises SecretsLocked: the key does not open its secrets
        """
        return self.versioned(name)[0]

    def versioned(self, name: str) -> tuple[dict[str, Any], datetime]:
        """:meth:`document` together with the moment at which it was saved (UTC)."""
        row = self._row(name)
        try:
            opened = self._secrets(row)
        except SecretsLocked:
            # A rotation of the key may have ended between the look at the row and the look at the key.
            again = self._row(name)
            if again["secrets"] == row["secrets"]:
                raise
            row, opened = again, self._secrets(again)
        return {"kind": row["kind"], **row["settings"], **opened}, row["updated_at"]

    def save(self, name: str, document: Mapping[str, Any]) -> None:
        """Create or replace. A secret that is left out keeps its stored value; an empty one is removed.

        :raises BadConnection: no name, unknown kind, or a setting that is missing, unknown or wrong
        :raises SecretsLocked: the key file cannot be used
        """
        kind = document.get("kind")
        if not name or not isinstance(kind, str):
            raise BadConnection(
                "连接必须有名称和类型（kind）", "A connection needs a name and a kind", where=name or "connections"
            )
        check_settings(name, document)
        secret_names = secret_fields(kind)
        given = {key: value for key, value in document.items() if key in secret_names}
        settings = {key: value for key, value in document.items() if key != "kind" and key not in secret_names}

        def work(connection: Connection) -> None:
            begin_sealing(connection)
            query = select(connections).where(connections.c.name == name)
            row = connection.execute(query).mappings().first()
            kept = self._kept_secrets(row, secret_names, given) if row is not None and row["kind"] == kind else {}
            merged = {key: value for key, value in {**kept, **given}.items() if value}
            secrets = {key: value for key, value in merged.items() if not isinstance(value, Mapping)}
            references = {key: value for key, value in merged.items() if isinstance(value, Mapping)}
            values = {
                "kind": kind,
                "settings": {**settings, **references},
                "secret_names": sorted(secrets),
                "secrets": self._vault.seal(secrets, context=name) if secrets else None,
                "updated_at": utc_now(),
            }
            if row is None:
                connection.execute(insert(connections).values(name=name, **values))
            else:
                connection.execute(update(connections).where(connections.c.name == name).values(**values))

        self._db.write(work)

    def delete(self, name: str) -> None:
        """Forget the connection; nothing happens if there is none."""
        self._db.write(lambda connection: connection.execute(delete(connections).where(connections.c.name == name)))

    def import_file(self, path: Path) -> list[str]:
        """Save every connection of a ``connections.json``; returns their names.

        :raises BadConnection: the file cannot be read, is not JSON, or an entry is wrong; then nothing of it is saved
        """
        try:
            documents = jsontext.loads(path.read_bytes())
        except OSError as error:
            raise BadConnection(
                "无法读取连接文件", "The file of connections cannot be read", where=str(path), remote=str(error)
            ) from error
        except ValueError as error:
            raise BadConnection(
                "连接文件不是有效的 JSON", "The file of connections is not JSON", where=str(path), remote=str(error)
            ) from error
        if not isinstance(documents, dict) or not all(isinstance(value, dict) for value in documents.values()):
            raise BadConnection(
                "连接文件应为“名称 → 设置”的对象",
                "The file of connections must be an object of name → settings",
                where=str(path),
            )
        for name, document in documents.items():
            check_settings(name, document)
        for name, document in documents.items():
            self.save(name, document)
        return list(documents)

    def _kept_secrets(self, row: RowMapping, secret_names: frozenset[str], given: Mapping[str, Any]) -> dict[str, Any]:
        references = {key: value for key, value in row["settings"].items() if key in secret_names}
        # Opened only if needed: a lost key must not stand in the way of entering all secrets anew.
        if row["secrets"] is None or set(row["secret_names"]) <= set(given):
            return references
        return {**references, **self._secrets(row)}

    def _secrets(self, row: RowMapping) -> dict[str, Any]:
        return {} if row["secrets"] is None else self._vault.open(row["secrets"], context=row["name"])

    def _row(self, name: str) -> RowMapping:
        query = select(connections).where(connections.c.name == name)
        row = self._db.read(lambda connection: connection.execute(query).mappings().first())
        if row is None:
            raise BadConnection("没有这个名称的连接", "There is no connection of this name", where=name)
        return row

    def list(self) -> list[ConnectionInfo]:
        """All connections, sorted by name."""
        query = select(connections).order_by(connections.c.name)
        return self._db.read(lambda connection: [_info(row) for row in connection.execute(query).mappings()])


def _info(row: RowMapping) -> ConnectionInfo:
    return ConnectionInfo(
        name=row["name"],
        kind=row["kind"],
        settings=row["settings"],
        secret_names=tuple(row["secret_names"]),
        updated_at=row["updated_at"],
    )
