"""Connectors are opened once, anew after a change, and never closed under a run that uses them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runtime.engine.pool import ConnectorPool
from runtime.errors import BadConnection
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault

DOCUMENT = {
    "kind": "b1.service_layer",
    "base_url": "http://127.0.0.1:1/b1",
    "company": "C",
    "user": "u",
    "password": {"env": "B1_TEST_PASSWORD"},
}


@pytest.fixture
def store(tmp_path: Path):
    db = Database.open(f"sqlite:///{tmp_path}/state.db")
    store = ConnectionStore(db, Vault(tmp_path / "secret.key"))
    store.save("b1", DOCUMENT)
    yield store
    db.close()


def watch_closing(connector) -> list[bool]:
    closed: list[bool] = []
    real = connector.aclose

    async def aclose() -> None:
        closed.append(True)
        await real()

    connector.aclose = aclose
    return closed


async def test_a_connector_is_opened_once_until_it_is_saved_again(store) -> None:
    pool = ConnectorPool(store, environ={"B1_TEST_PASSWORD": "p"})
    first, again = await asyncio.gather(pool.get("b1"), pool.get("b1"))
    assert first is again
    closed = watch_closing(first)
    store.save("b1", {**DOCUMENT, "user": "other"})
    second = await pool.get("b1")
    assert second is not first
    assert second.settings.user == "other"
    assert closed == [True]
    await pool.aclose()


async def test_a_run_keeps_what_it_works_with(store) -> None:
    pool = ConnectorPool(store, environ={"B1_TEST_PASSWORD": "p"})
    async with pool.lease() as lease:
        used, same = await asyncio.gather(lease.get("b1"), lease.get("b1"))
        assert used is same
        closed = watch_closing(used)
        store.save("b1", {**DOCUMENT, "user": "other"})
        assert await pool.get("b1") is not used
        assert await lease.get("b1") is used
        assert closed == []
    assert closed == [True]
    await pool.aclose()


async def test_unknown_and_incomplete_connections_are_named(store) -> None:
    pool = ConnectorPool(store, environ={})
    with pytest.raises(BadConnection, match="nowhere"):
        await pool.get("nowhere")
    with pytest.raises(BadConnection, match="B1_TEST_PASSWORD"):
        await pool.get("b1")
    await pool.aclose()
