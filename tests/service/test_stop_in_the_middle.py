"""A stop in the middle of a run: the next start goes on, and no draft gets a second approval."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from runtime.store.runs import list_runs

pytestmark = [pytest.mark.acceptance]


def test_a_stop_in_the_middle_of_a_run_loses_and_doubles_nothing(
    module_desk: Any, sandbox: Any, eventually: Any, purchase_request: dict[str, Any]
) -> None:
    module_desk.import_connections()
    module_desk.save(purchase_request)
    sandbox.control("POST", "/b1/drafts", {"count": 40, "lines": 1})
    sandbox.control("PUT", "/faults", {"latency_ms": 150})
    process = module_desk.serve()
    eventually(lambda: len(sandbox.instances()) >= 6, what="the run is under way")
    assert process.stop() == 0
    assert "Traceback" not in process.output
    [run] = module_desk.read(lambda connection: list_runs(connection, limit=1))
    assert run.state == "stopped"
    assert sandbox.unsynced(), "the run was over before the stop"
    sandbox.control("DELETE", "/faults")
    module_desk.serve().address()
    eventually(lambda: not sandbox.unsynced(), what="the rest is sent")
    drafts = sandbox.b1("/Drafts?$filter=DocObjectCode eq '1470000113' and U_ISSYN eq 'Y'&$top=1000")["value"]
    sent = Counter(draft["U_instanceID"] for draft in drafts if draft["U_instanceID"])
    assert set(sent.values()) == {1}
    assert len(sandbox.instances()) == len(sent)
