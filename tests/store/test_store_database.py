"""Opening, migrating, group commit, and the one runtime per state."""

from __future__ import annotations

import asyncio
import functools
import os
import sqlite3.dbapi2
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from runtime.errors import CannotStart, RetryLater
from runtime.store import tables, writer
from runtime.store.database import Database
from runtime.store.runs import get_run, queue_run


def add(connection, name: str) -> None:
    values = {"kind": "k", "settings": {}, "secret_names": [], "updated_at": datetime.now(UTC)}
    connection.execute(insert(tables.connections).values(name=name, **values))


def names(db: Database) -> set[str]:
    return db.read(lambda connection: set(connection.scalars(select(tables.connections.c.name))))


def test_the_migrations_make_just_these_tables(db) -> None:
    def difference(connection) -> list:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": False}), tables.metadata)

    assert db.read(difference) == []
    config = Config()
    config.set_main_option("script_location", "runtime.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == tables.REVISION


def test_opening_again_keeps_everything(url) -> None:
    first = Database.open(url)
    run_id = first.write(lambda state: queue_run(state, mapping="m", flow="f", cause="manual"))
    first.close()
    second = Database.open(url)
    assert second.read(lambda state: get_run(state, run_id)).state == "queued"
    second.close()


def test_nobody_else_on_the_machine_reads_a_new_state(tmp_path: Path) -> None:
    Database.open(f"sqlite:///{tmp_path / 'state.db'}").close()
    assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0


def test_two_processes_may_open_a_new_state_at_once(tmp_path: Path) -> None:
    code = f"from runtime.store.database import Database; Database.open('sqlite:///{tmp_path}/new/state.db').close()"
    both = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()


def test_a_state_survives_power_loss_by_its_settings(sqlite_db) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys")
    found = sqlite_db.read(lambda state: [state.scalar(text(f"PRAGMA {name}")) for name in pragmas])
    assert found == ["wal", 2, 1]


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:////proc/no-such-folder/state.db",
        "sqlite:////dev/null/state.db",
        "sqlite://",
        "postgresql+psycopg://nobody:secret-word@127.0.0.1:1/none",
        "mysql://localhost/x",
        "mysql://localhost/x?password=secret-word",
        "postgresql+psycopg://nobody:secret-word/none",
        "not an address",
    ],
)
def test_a_state_that_cannot_be_opened_is_one_clear_sentence(address) -> None:
    with pytest.raises(CannotStart) as caught:
        Database.open(address)
    assert "secret-word" not in str(caught.value)
    assert caught.value.zh
    assert caught.value.where


def test_a_state_that_can_only_be_read_is_refused(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'state.db'}"
    Database.open(address).close()
    # The tests may run as root, whom no permission stops: SQLite's own read-only mode stands in.
    with pytest.MonkeyPatch.context() as patch:
        read_only = functools.partial(sqlite3.connect, uri=True)
        patch.setattr(sqlite3.dbapi2, "connect", lambda file, **more: read_only(f"file:{file}?mode=ro", **more))
        with pytest.raises(CannotStart, match="readonly"):
            Database.open(address)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"this is no database, but it is long enough to be looked at" * 40)
    with pytest.raises(CannotStart):
        Database.open(f"sqlite:///{file}")


def test_a_state_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    Database.open(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(CannotStart, match="9999"):
        Database.open(f"sqlite:///{file}")


async def test_an_error_goes_to_its_own_caller_only(db) -> None:
    async def write(name: str, *, fails: bool = False) -> str:
        def work(connection) -> str:
            add(connection, name)
            if fails:
                raise ValueError(name)
            return name

        return await db.awrite(work)

    prefix = f"x{os.urandom(3).hex()}-"
    asked = [write(f"{prefix}{number}", fails=number % 5 == 0) for number in range(50)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, ValueError) for one in results] == [number % 5 == 0 for number in range(50)]
    kept = {name for name in names(db) if name.startswith(prefix)}
    assert kept == {f"{prefix}{number}" for number in range(50) if number % 5}


async def test_what_waits_shares_a_commit(sqlite_db) -> None:
    gate, commits = threading.Event(), []
    sqlite_db.write(lambda connection: None)
    from sqlalchemy import event

    event.listen(sqlite_db._engine, "commit", lambda connection: commits.append(1))
    first = asyncio.ensure_future(sqlite_db.awrite(lambda connection: gate.wait(10)))
    await asyncio.sleep(0)
    others = [sqlite_db.begin_write(lambda connection, n=n: add(connection, f"n{n}")) for n in range(100)]
    gate.set()
    await asyncio.gather(first, *others)
    assert len(commits) <= 3
    assert len(names(sqlite_db)) == 100


async def test_writes_happen_in_the_order_of_the_calls(sqlite_db) -> None:
    seen: list[int] = []
    await asyncio.gather(*[sqlite_db.awrite(lambda connection, n=n: seen.append(n)) for n in range(50)])
    assert seen == list(range(50))


def test_the_same_key_twice_is_the_callers_error(db) -> None:
    name = os.urandom(4).hex()
    db.write(lambda connection: add(connection, name))
    with pytest.raises(IntegrityError):
        db.write(lambda connection: add(connection, name))
    assert name in names(db)


def test_a_broken_database_is_tried_again_later(sqlite_db) -> None:
    with pytest.raises(RetryLater):
        sqlite_db.write(lambda connection: connection.execute(text("INSERT INTO no_such_table VALUES (1)")))
    with pytest.raises(RetryLater):
        sqlite_db.read(lambda connection: connection.execute(text("SELECT * FROM no_such_table")))


def test_what_the_server_says_is_passed_on_without_the_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise psycopg.OperationalError("no way in with password=secret-word sslpassword=other-word as b1")

    monkeypatch.setattr(writer, "_PAUSES", ())
    address = "postgresql+psycopg://b1:secret-word@127.0.0.1/b1?sslpassword=other-word"
    db = Database(create_engine(address, creator=refuse), lock_file=None)
    for use in (db.read, db.write):
        with pytest.raises(RetryLater) as caught:
            use(lambda connection: connection.execute(text("SELECT 1")))
        assert caught.value.remote == "no way in with password=*** sslpassword=*** as b1"
    db.close()


def test_a_second_runtime_is_told_who_was_first(url) -> None:
    first, second = Database.open(url), Database.open(url)
    try:
        assert second.runtime_alive() is None
        with first.claim_runtime("b1-runtime serve"):
            first.heartbeat(url="http://127.0.0.1:8080")
            alive = second.runtime_alive()
            assert alive is not None
            assert (alive.description, alive.pid, alive.url) == (
                "b1-runtime serve",
                os.getpid(),
                "http://127.0.0.1:8080",
            )
            with pytest.raises(CannotStart, match="b1-runtime serve") as caught, second.claim_runtime("another"):
                raise AssertionError("both run")
            assert str(os.getpid()) in caught.value.where
        assert second.runtime_alive() is None
        with second.claim_runtime("another"):
            pass
    finally:
        first.close()
        second.close()


def test_a_killed_runtime_leaves_nothing_claimed(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/state.db"
    code = (
        "import os, signal\n"
        "from runtime.store.database import Database\n"
        f"with Database.open('{address}').claim_runtime('doomed'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == -9
    db = Database.open(address)
    assert db.runtime_alive() is None
    with db.claim_runtime("next"):
        assert db.runtime_alive().description == "next"
    db.close()


def test_a_connection_that_cannot_even_be_closed_is_given_up(sqlite_db, monkeypatch) -> None:
    class Broken:
        def begin(self) -> None:
            raise ValueError("broken")

        def close(self) -> None:
            raise ValueError("broken")

    monkeypatch.setattr(sqlite_db._writer, "_connection", Broken())
    with pytest.raises(ValueError, match="broken"):
        sqlite_db.write(lambda _state: None)
    assert sqlite_db.write(lambda _state: 1) == 1


def test_an_event_loop_that_closes_at_the_wrong_moment_does_not_end_the_writer(sqlite_db, monkeypatch) -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    with monkeypatch.context() as moment:
        moment.setattr(loop, "is_closed", lambda: False)  # as it was a moment ago
        sqlite_db._writer.submit(lambda _state: None, future)
        assert sqlite_db.write(lambda _state: 1) == 1


def test_the_causes_of_a_write_that_never_got_through_come_to_an_end(sqlite_db, monkeypatch) -> None:
    """Whoever looks for the system that is down follows them, in the event loop of everybody."""
    monkeypatch.setattr(writer, "_PAUSES", ())

    def lost(_state: Connection) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"), connection_invalidated=True)

    with pytest.raises(RetryLater) as raised:
        sqlite_db.write(lost)
    causes: list[BaseException] = []
    cause: BaseException | None = raised.value
    while cause is not None:
        assert cause not in causes
        causes.append(cause)
        cause = cause.__cause__
