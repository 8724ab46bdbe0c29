"""A real process, killed by SIGKILL between any two steps, again and again: one approval for each draft."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

WORKER = Path(__file__).with_name("crash_worker.py")
POINTS = ["intent", "create", "created", "result", "update", "updated", "end"]


def live(folder: Path, state: str, point: str, nth: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(WORKER), str(folder), point, str(nth), state]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_killed_at_every_point(tmp_path: Path, state_url: str) -> None:
    (tmp_path / "approvals").mkdir()
    (tmp_path / "drafts").mkdir()
    kills = 0
    for round_number, point in enumerate(POINTS):
        for key in range(round_number * 5, round_number * 5 + 5):
            (tmp_path / "drafts" / str(key)).write_text(json.dumps({"mark": "N"}))
        killed = live(tmp_path, state_url, point, 1 if point == "end" else 2)
        assert killed.returncode == -9, killed.stderr
        kills += 1
    last = live(tmp_path, state_url, "none", 1)
    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout)["state"] == "succeeded"
    approvals = Counter(file.read_text() for file in (tmp_path / "approvals").iterdir())
    drafts = {file.name: json.loads(file.read_text()) for file in (tmp_path / "drafts").iterdir()}
    assert (kills, len(drafts)) == (7, 35)
    assert approvals == Counter(drafts.keys())
    assert {one["mark"] for one in drafts.values()} == {"Y"}
    for name, draft in drafts.items():
        assert (tmp_path / "approvals" / draft["instance"]).read_text() == name
