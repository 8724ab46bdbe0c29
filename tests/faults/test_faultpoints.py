"""Fault points: harmless unless armed, deadly at the very passing that was asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from runtime.faultpoints import VARIABLE, FaultPoint, reach

PASSING = """
from runtime.faultpoints import FaultPoint, reach
for number in range(4):
    print(number, flush=True)
    reach(FaultPoint.BEFORE_CALL)
    reach(FaultPoint.AFTER_CALL)
"""


def _pass_by(armed: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, VARIABLE: armed}
    command = [sys.executable, "-c", PASSING]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_nothing_happens_unarmed() -> None:
    for point in FaultPoint:
        reach(point)


@pytest.mark.parametrize(
    ("armed", "lines"), [("before_call", 1), ("after_call:1", 1), ("before_call:3", 3), ("after_call:4", 4)]
)
def test_the_process_ends_at_the_passing_asked_for(armed: str, lines: int) -> None:
    done = _pass_by(armed)
    assert done.returncode == -signal.SIGKILL
    assert len(done.stdout.split()) == lines


@pytest.mark.parametrize("armed", ["after_call:5", "before_commit", ""])
def test_other_points_are_passed_unharmed(armed: str) -> None:
    done = _pass_by(armed)
    assert done.returncode == 0
    assert len(done.stdout.split()) == 4


def test_a_point_that_does_not_exist_is_refused() -> None:
    done = _pass_by("after_lunch")
    assert done.returncode not in (0, -signal.SIGKILL)
    assert "after_lunch" in done.stderr
