"""Registering a connection with its system, because a person asked for it, and storing what that gives."""

from __future__ import annotations

from runtime.connectors.registry import open_connector
from runtime.errors import BadConnection
from runtime.store.connections import ConnectionStore

__all__ = ["register_connection"]


async def register_connection(store: ConnectionStore, name: str, *, again: bool) -> list[str]:
    """Register, and save the settings that the other system gave; returns their names.

    :param again: also if the connection is registered already, which voids its secret for every program that has it
    :raises BadConnection: there is none of this name, its kind knows no registration, or it is registered already
    :raises LoginRefused: the other system does not know the application
    """
    document = store.document(name)
    connector = open_connector(name, document)
    try:
        if not connector.has_registration:
            raise BadConnection("此类连接无需注册", "This kind of connection is not registered", where=name)
        if connector.is_registered and not again:
            raise BadConnection(
                "连接已经注册；重新注册会使旧的密钥作废，确实需要时请明确要求（--again）",
                "The connection is registered already; registering again voids the old secret: ask for it (--again)",
                where=name,
            )
        given = await connector.register()
    finally:
        await connector.aclose()
    store.save(name, {**document, **given})
    return sorted(given)
