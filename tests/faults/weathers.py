"""The kinds of weather that the runtime is killed in."""

from __future__ import annotations

from typing import Final

from runtime.faultpoints import FaultPoint
from tests.faults.campaign import Weather

__all__ = ["STORM", "WEATHERS"]

#: Of a hundred calls five fail, and every now and then B1 ends all sessions.
_FAULTS: Final = {
    "error500": 0.0125,
    "error429": 0.0125,
    "reset_after": 0.0125,
    "timeout_after": 0.0125,
    "session_expiry": 0.02,
}
#: Every callback comes three times, each copy after a pause of its own.
_THRICE: Final = {"copies": 3, "scatter_s": 2.0}

#: No callback arrives at all: nothing but asking brings a verdict home.
_SWEEPING: Final = {"B1_SWEEP_EVERY": "1s", "B1_SWEEP_AGE": "1s"}
_OF_CALLBACKS: Final = {
    FaultPoint.BEFORE_INBOX_INSERT,
    FaultPoint.AFTER_INBOX_INSERT,
    FaultPoint.BEFORE_ACKNOWLEDGE,
    FaultPoint.AFTER_ACKNOWLEDGE,
}

#: By the name that the command line and the table give them.
WEATHERS: Final = {
    weather.name: weather
    for weather in (
        Weather(name="calm"),
        Weather(name="faulty", faults=_FAULTS),
        Weather(name="thrice", push=_THRICE, echoes=3),
        Weather(
            name="dropped",
            push={"drop": True},
            environment=_SWEEPING,
            points=tuple(point for point in FaultPoint if point not in _OF_CALLBACKS),
        ),
        Weather(
            name="stream",
            faults=_FAULTS,
            push={"mode": "stream", "copies": 2, "scatter_s": 1.0},
            connection={"event_mode": "stream", "reconnect_after": 0.2},
            echoes=2,
        ),
        Weather(
            name="weaver",
            system="weaver",
            faults=_FAULTS,
            echoes=2,
            points=tuple(point for point in FaultPoint if "acknowledge" not in point),
        ),
        Weather(name="sql_di", source="gateway", lag=2.0, faults=_FAULTS, push=_THRICE, echoes=3),
        Weather(name="sql_queries", source="queries", faults=_FAULTS, push=_THRICE, echoes=3),
        Weather(name="twins", faults=_FAULTS, push=_THRICE, echoes=2, twins=True),
        Weather(name="wecom", system="wecom", faults=_FAULTS, push=_THRICE, echoes=3),
    )
}

#: Everything at once, for the share of the test suite.
STORM: Final = Weather(name="storm", faults=_FAULTS, push=_THRICE, echoes=2)
