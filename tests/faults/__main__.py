"""``make faults``: every weather, each with documents and kills enough, as one table; exit code 1 unless all pass."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults.campaign import Outcome, Plan, run
from tests.faults.laboratory import Laboratory
from tests.faults.weathers import WEATHERS
from tests.faults.weaver import WeaverLaboratory
from tests.postgres import PostgresServer

_COLUMNS = (
    ("documents", 10),
    ("verdicts", 9),
    ("kills", 6),
    ("at points", 10),
    ("faults met", 11),
    ("duplicates", 11),
    ("lost", 5),
    ("unmarked", 9),
    ("open", 5),
    ("firing s", 9),
    ("settling s", 11),
)


def main() -> None:
    """Run the campaigns that the command line asks for."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--documents", type=int, default=300, help="in each weather, at least")
    parser.add_argument("--kills", type=int, default=200, help="in each weather")
    parser.add_argument("--seed", type=int, default=None, help="of the kills, the faults and the approvers")
    parser.add_argument("--settle", type=float, default=300.0, help="seconds for everything to come to its end")
    parser.add_argument("--weather", choices=sorted(WEATHERS), action="append", help="only this one; repeatable")
    parser.add_argument(
        "--state",
        choices=("sqlite", "postgresql"),
        action="append",
        help="where the runtime keeps its state; repeatable; sqlite unless given. The PostgreSQL server is that of "
        "B1_TEST_POSTGRES, else the local one",
    )
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print(f"seed {seed}; repeat with: python -m tests.faults --seed {seed}", flush=True)
    print(" " * 24 + "".join(f"{name:>{width}}" for name, width in _COLUMNS), flush=True)
    passed = True
    for state in options.state or ["sqlite"]:
        for name in options.weather or WEATHERS:
            plan = Plan(
                weather=WEATHERS[name],
                documents=options.documents,
                kills=options.kills,
                seed=seed,
                settle=options.settle,
            )
            passed = _campaign(plan, state) and passed
    print("0 duplicates, 0 lost, 0 unmarked: passed" if passed else "FAILED", flush=True)
    sys.exit(0 if passed else 1)


def _campaign(plan: Plan, state: str) -> bool:
    """Carry one out and show it; what it leaves is kept if the promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix=f"b1-faults-{plan.weather.name}-"))
    server = PostgresServer.connected() if state == "postgresql" else None
    url = server.new_database() if server is not None else ""
    try:
        weather = plan.weather
        environment = {**weather.environment, **({"B1_STATE": url} if url else {})}
        kind = WeaverLaboratory if weather.system == "weaver" else Laboratory
        asked = (environment, weather.connection, weather.system, weather.source)
        with kind.opened(folder / "lab", *asked, twins=weather.twins) as laboratory:
            outcome = run(plan, laboratory)
        _show(outcome, state)
        if not outcome.audit.passed:
            print(f"    state and logs: {folder} {url}", flush=True)
            return False
        shutil.rmtree(folder)
        if server is not None:
            server.drop(url)
        return True
    finally:
        if server is not None:
            server.close()


def _show(outcome: Outcome, state: str) -> None:
    audit, tally = outcome.audit, outcome.tally
    figures = (
        audit.documents,
        audit.verdicts,
        tally.kills,
        sum(tally.at_points.values()),
        sum(outcome.met.values()),
        len(audit.duplicates),
        len(audit.lost),
        len(audit.unmarked),
        len(audit.undecided),
        round(outcome.firing),
        round(outcome.settling),
    )
    cells = "".join(f"{figure:>{width}}" for figure, (_, width) in zip(figures, _COLUMNS, strict=True))
    print(f"{state:<12}{outcome.plan.weather.name:<12}{cells}", flush=True)
    for sentence in [*audit.violations, *audit.undecided, *audit.shortfalls]:
        print(f"    {sentence}", flush=True)


if __name__ == "__main__":
    main()
