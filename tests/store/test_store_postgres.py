"""What only PostgreSQL can do to us: drop connections, forget the lock, let another runtime in."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, text

from runtime.errors import CannotStart, RetryLater
from runtime.store.database import Database
from runtime.store.runs import list_runs, queue_run


@pytest.fixture
def address(new_postgres_state: Callable[[], str]) -> str:
    return new_postgres_state()


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    database = Database.open(address)
    yield database
    database.close()


class Administrator:
    """Somebody with a connection of their own who ends those of others."""

    def __init__(self, address: str) -> None:
        self._engine = create_engine(address, isolation_level="AUTOCOMMIT")

    def drop_connections(self) -> int:
        with self._engine.connect() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            query = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}"
            return int(connection.execute(text(query)).scalar_one())

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture
def administrator(address: str) -> Iterator[Administrator]:
    administrator = Administrator(address)
    yield administrator
    administrator.close()


def queue(database: Database, number: int) -> str:
    return database.write(lambda state: queue_run(state, mapping=f"m{number}", flow="f", cause="manual"))


def test_dropped_connections_lose_nothing(database: Database, administrator: Administrator) -> None:
    for number in range(5):
        queue(database, number)
        assert administrator.drop_connections() >= 1
        assert len(database.read(list_runs)) == number + 1


def test_a_connection_dropped_in_the_middle_of_a_write_is_written_again(
    database: Database, administrator: Administrator
) -> None:
    attempts = []

    def work(connection) -> str:
        run_id = queue_run(connection, mapping="m", flow="f", cause="manual")
        attempts.append(run_id)
        if len(attempts) == 1:
            administrator.drop_connections()
        connection.execute(text("SELECT 1"))
        return run_id

    run_id = database.write(work)
    assert len(attempts) == 2
    assert [run.id for run in database.read(list_runs)] == [run_id]


async def test_connections_dropped_all_the_time_lose_no_write(database: Database, administrator: Administrator) -> None:
    """What is reported as written is there, once; what failed says that it may be repeated."""
    stop = asyncio.Event()

    async def drop() -> None:
        while not stop.is_set():
            await asyncio.to_thread(administrator.drop_connections)
            await asyncio.sleep(0.03)

    async def write(number: int) -> int | None:
        try:
            await database.awrite(lambda state: queue_run(state, mapping=f"m{number}", flow="f", cause="manual"))
        except RetryLater:
            return None
        return number

    dropping = asyncio.create_task(drop())
    written = []
    # Those of a round mostly share one commit, and its fate.
    for round_number in range(12):
        written += await asyncio.gather(*(write(round_number * 5 + number) for number in range(5)))
    stop.set()
    await dropping
    found = [run.mapping for run in database.read(lambda state: list_runs(state, limit=1000))]
    assert len(found) == len(set(found))
    assert {f"m{number}" for number in written if number is not None} <= set(found)
    assert len(found) >= 30


def test_a_claim_whose_connection_was_dropped_is_taken_again(
    database: Database, administrator: Administrator, address: str
) -> None:
    other = Database.open(address)
    with database.claim_runtime("first"):
        administrator.drop_connections()
        database.heartbeat(url="http://127.0.0.1:1")
        with pytest.raises(CannotStart, match="first"), other.claim_runtime("second"):
            raise AssertionError("both run")
        queue(database, 1)
    with other.claim_runtime("second"):
        pass
    other.close()


def test_who_lost_the_claim_to_another_runtime_writes_nothing_any_more(
    database: Database, administrator: Administrator, address: str
) -> None:
    other = Database.open(address)
    first = database.claim_runtime("first")
    first.__enter__()
    administrator.drop_connections()
    with other.claim_runtime("second"):
        with pytest.raises(CannotStart, match="second"):
            queue(database, 1)
        with pytest.raises(CannotStart, match="second"):
            database.heartbeat()
        queue(other, 2)
        first.__exit__(None, None, None)
        assert other.runtime_alive().description == "second"
    assert [run.mapping for run in other.read(list_runs)] == ["m2"]
    other.close()


def test_a_killed_runtime_leaves_nothing_claimed(database: Database, address: str) -> None:
    code = (
        "import sys, time\n"
        "from runtime.store.database import Database\n"
        "with Database.open(sys.argv[1]).claim_runtime('doomed'):\n"
        "    print('claimed', flush=True)\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, address], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "claimed\n"
    with pytest.raises(CannotStart, match="doomed"), database.claim_runtime("next"):
        raise AssertionError("both run")
    process.kill()
    process.wait(timeout=30)
    process.stdout.close()
    began = time.monotonic()
    with database.claim_runtime("next"):
        assert database.runtime_alive().description == "next"
    assert time.monotonic() - began < 60
