"""Everything that is sealed in a state database, taken together: can it be opened, and sealing it anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Update, bindparam, select, text, update

from runtime.errors import KeyOutOfPlace, SecretsLocked
from runtime.store.database import Database
from runtime.store.tables import appcodes, connections
from runtime.store.vault import Vault

__all__ = ["appcode_context", "begin_sealing", "first_locked", "rotate_key"]


@dataclass(frozen=True)
class _Sealed:
    context: str
    blob: bytes
    #: Writes another blob in its place.
    statement: Update


def appcode_context(mapping: str, flow: str) -> str:
    """What the AppCode of a flow is bound to."""
    return f"appcode {mapping}/{flow}"


def begin_sealing(connection: Connection) -> None:
    """Call it in the transaction that writes a sealed value, before sealing: a rotation then sees it or precedes it."""
    _lock(connection, "ROW EXCLUSIVE")


def first_locked(db: Database, vault: Vault) -> SecretsLocked | None:
    """Why the stored secrets (the first of them that is concerned) cannot be opened, or None if all can."""
    for item in db.read(lambda connection: list(_everything(connection))):
        try:
            vault.open(item.blob, context=item.context)
        except SecretsLocked as error:
            return error
    return None


def rotate_key(db: Database, vault: Vault) -> int:
    """Seal everything under a new key and forget the old one; returns how many secrets were sealed anew.

    A live runtime or studio on this machine may go on working. Wherever it breaks off, the key file opens everything;
    calling it again is always right. With the key from the environment, which cannot be changed from here, the new key
    must stand in front of the old one in it.

    :raises SecretsLocked: something cannot be opened (then nothing is changed), or the key file cannot be written
    """
    if vault.given:
        if vault.key_count == 1:
            raise KeyOutOfPlace(
                "密钥来自环境变量：请把新密钥（openssl rand -base64 32）写在旧密钥之前，用逗号隔开，"
                "再次执行本命令，然后去掉旧密钥",
                "The key comes from the environment: put a new one (openssl rand -base64 32) in front of the old one, "
                "separated by a comma, run this command again, then remove the old one",
                where=vault.where,
            )
        return db.write(lambda connection: _seal_anew(connection, vault))
    vault.add_key()
    try:
        count = db.write(lambda connection: _seal_anew(connection, vault))
    except SecretsLocked:
        vault.remove_first_key()
        raise
    vault.keep_first_key()
    return count


def _seal_anew(connection: Connection, vault: Vault) -> int:
    # On SQLite a writing transaction is alone anyway.
    _lock(connection, "SHARE ROW EXCLUSIVE")
    items = list(_everything(connection))
    for item in items:
        opened = vault.open(item.blob, context=item.context)
        connection.execute(item.statement, {"blob": vault.seal(opened, context=item.context)})
    return len(items)


def _everything(connection: Connection) -> Iterator[_Sealed]:
    stored = select(connections.c.name, connections.c.secrets).where(connections.c.secrets.is_not(None))
    for name, blob in connection.execute(stored.order_by(connections.c.name)).all():
        statement = update(connections).where(connections.c.name == name).values(secrets=bindparam("blob"))
        yield _Sealed(name, blob, statement)
    for mapping, flow, blob in connection.execute(select(appcodes.c.mapping, appcodes.c.flow, appcodes.c.sealed)).all():
        this = (appcodes.c.mapping == mapping) & (appcodes.c.flow == flow)
        statement = update(appcodes).where(this).values(sealed=bindparam("blob"))
        yield _Sealed(appcode_context(mapping, flow), blob, statement)


def _lock(connection: Connection, mode: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {connections.name}, {appcodes.name} IN {mode} MODE"))
