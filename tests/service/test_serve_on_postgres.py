"""``b1-runtime serve`` on PostgreSQL: one runtime at a time, and a server that drops connections loses no work."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from runtime.store.inbox import list_events

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.parametrize("state", ["postgresql"], indirect=True, scope="module"),
]


@pytest.fixture
def drop_connections(state: str) -> Any:
    """Ends every connection to the state database but the one that does it."""
    engine = create_engine(state, isolation_level="AUTOCOMMIT")

    def drop() -> int:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        query = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}"
        with engine.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())

    yield drop
    engine.dispose()


def written_back(sandbox: Any) -> dict[str, str]:
    query = "/Drafts?$filter=DocObjectCode eq '1470000113'&$top=1000"
    return {row["U_instanceID"]: row["U_ApprovalStatus"] for row in sandbox.b1(query)["value"] if row["U_instanceID"]}


def test_nothing_is_lost_while_the_server_drops_connections(
    module_desk: Any,
    sandbox: Any,
    purchase_request: dict[str, Any],
    eventually: Any,
    drop_connections: Callable[[], int],
) -> None:
    module_desk.import_connections()
    module_desk.save(purchase_request)
    process = module_desk.serve()
    callback = f"{process.address()}/callbacks/dingtalk-demo"
    sandbox.control("PUT", "/dingtalk/callback", {"url": callback, "backoff": [1, 1, 1, 1, 1, 1]})
    sandbox.control("POST", "/b1/drafts", {"count": 20, "lines": 1})
    dropped = 0

    def all_sent() -> bool:
        nonlocal dropped
        dropped += drop_connections()
        return not sandbox.unsynced()

    eventually(all_sent, what="all drafts are sent")
    approvals = [one["id"] for one in sandbox.instances(status="RUNNING")]
    for approval in approvals:
        sandbox.control("POST", f"/dingtalk/instances/{approval}/decide", {"result": "agree"})
        dropped += drop_connections()

    def all_decided() -> bool:
        statuses = written_back(sandbox)
        return all(statuses.get(approval) == "agreed" for approval in approvals)

    eventually(all_decided, what="all verdicts are written back")
    assert dropped > 20
    assert len(approvals) >= 20
    assert len(sandbox.instances()) == len(written_back(sandbox))
    eventually(
        lambda: {event.state for event in module_desk.read(lambda state: list_events(state, limit=1000))} == {"done"},
        what="no event is left over",
    )
    assert process.popen.poll() is None, process.output


def test_a_second_runtime_is_refused_until_the_first_one_is_killed(module_desk: Any) -> None:
    first = module_desk.started[-1]
    second = module_desk.serve()
    assert second.popen.wait(timeout=60) == 2
    assert str(first.popen.pid) in second.output
    assert "Traceback" not in second.output
    first.stop(signal.SIGKILL)
    third = module_desk.serve()
    assert third.address()
    assert third.stop() == 0
