"""The share of ``make faults`` that the test suite runs: every named point and a few random moments, in a storm."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.faultpoints import FaultPoint
from tests.faults.campaign import Plan, run
from tests.faults.laboratory import Laboratory
from tests.faults.weathers import STORM


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_killed_at_every_point_in_a_storm(tmp_path: Path) -> None:
    points = len(FaultPoint)
    plan = Plan(weather=STORM, documents=24, kills=points + 2, at_points=points / (points + 2), seed=20261123)
    with Laboratory.opened(tmp_path / "lab", STORM.environment) as laboratory:
        outcome = run(plan, laboratory)
    found = outcome.audit
    assert found.violations == []
    assert found.undecided == []
    assert found.shortfalls == []
    assert sum(outcome.met.values()) > 0
