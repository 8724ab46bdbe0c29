"""A sandbox for pages that look at real systems, and a workspace with a mapping from the gallery."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st

from runtime.config import Settings
from runtime.mapping.folder import MappingFolder
from runtime.mapping.templates import gallery, instantiate
from runtime.sandbox import demo
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.vault import Vault
from tests.running import running_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """Its address."""
    with running_sandbox() as address:
        yield address


@pytest.fixture
def workspace(sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("B1_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("B1_MAPPINGS", str(tmp_path / "mappings"))
    (tmp_path / "mappings").mkdir()
    settings = Settings()
    database = Database.open(settings.state_url)
    connections = ConnectionStore(database, Vault(settings.key_file))
    for name, document in demo.connections(sandbox).items():
        connections.save(name, document)
    template = next(item for item in gallery() if item.id == "dingtalk-approval-odata")
    roles = {
        role: next(c.name for c in connections.list() if c.kind in kinds)
        for role, kinds in template.connections.items()
    }
    mapping = instantiate(
        template, id="demo", title="演示", connections=roles, settings={"process_code": demo.PROCESS_CODE}
    )
    MappingFolder(tmp_path / "mappings").save(mapping.model_copy(update={"enabled": True}), expected=None)
    database.close()
    yield tmp_path
    st.cache_resource.clear()


@pytest.fixture
def serve() -> Iterator[Callable[..., None]]:
    """Start the real runtime on the state of the test's environment."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(**environment: str) -> None:
        command = [sys.executable, "-m", "runtime.cli", "serve", "--port", "0"]
        running.append(
            subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )
        end = time.monotonic() + 60
        with contextlib.closing(Database.open(Settings().state_url)) as database:
            while (alive := database.runtime_alive()) is None or not alive.url:
                assert time.monotonic() < end, "the runtime did not start"
                time.sleep(0.05)

    yield begin
    for process in running:
        process.terminate()
        process.wait(timeout=30)
