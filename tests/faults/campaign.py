"""A campaign: drafts come in, approvers decide, the weather is bad, and the runtime is killed all the while."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from runtime.faultpoints import FaultPoint
from tests.faults.audit import Audit, Demand, Tally, audit
from tests.faults.laboratory import Laboratory

__all__ = ["Outcome", "Plan", "Weather", "run"]

#: Seconds that the runtime may take to start on a busy machine.
_START_LIMIT = 60.0
#: An armed runtime that does not come to its point gets one more draft after so many seconds, so many times; then it is
#: killed from outside.
_OFFER_EVERY = 1.5
_OFFERS = 4
#: Seconds between two looks of the approvers into their inbox.
_INBOX = 0.25
#: Share of the open approvals that they decide at each look.
_EAGER = 0.4
#: Seconds between two audits at the end.
_LOOK = 2.0
#: Seconds for which a world in order has to stay so: what comes late counts too.
_CALM = 4.0
#: The approval system tries again and again while the runtime is down, and never gives up during a campaign.
_BACKOFF = [0.3, 0.5, 0.5, *[1.0] * 600]
#: Points that are reached many times in a short life: which passing kills is drawn from 1 to this.
_OFTEN = {FaultPoint.BEFORE_COMMIT: 15, FaultPoint.AFTER_COMMIT: 15, FaultPoint.BEFORE_WRITE_BACK: 3}


@dataclass(frozen=True, kw_only=True)
class Weather:
    """What goes wrong besides the kills."""

    name: str
    #: The approval system: ``dingtalk``, ``wecom`` or ``weaver``.
    system: str = "dingtalk"
    #: How drafts are read by SQL, ``gateway`` or ``queries``; empty = by OData.
    source: str = ""
    #: Seconds that what is read by SQL may be behind: a replica.
    lag: float = 0.0
    #: Share of calls that meet each kind of fault, see :mod:`runtime.sandbox.faults`.
    faults: Mapping[str, float] = field(default_factory=dict)
    #: Its subscription: ``copies``, ``scatter_s``, ``drop`` …
    push: Mapping[str, Any] = field(default_factory=dict)
    #: Settings of the runtime's connection to it.
    connection: Mapping[str, Any] = field(default_factory=dict)
    #: Events of the past that are pushed once more after each kill.
    echoes: int = 0
    #: Whether two enabled mappings send the same documents.
    twins: bool = False
    #: Further settings of the runtime.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Named points that can be reached in it.
    points: Sequence[FaultPoint] = tuple(FaultPoint)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of it."""

    weather: Weather
    documents: int
    kills: int
    seed: int
    #: Share of the kills that happen at named points, one after the other again and again; the rest at random moments.
    at_points: float = 0.6
    #: Seconds until everything must have come to its end after the last kill.
    settle: float = 300.0

    @property
    def demand(self) -> Demand:
        """What the audit has to have seen; the points only if there are kills enough to go round."""
        points = self.weather.points
        enough = self.kills * self.at_points >= len(points)
        return Demand(documents=self.documents, kills=self.kills, points=points if enough else ())


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it."""

    plan: Plan
    audit: Audit
    tally: Tally
    #: Faults that were met, by kind.
    met: Mapping[str, int]
    #: Under fire, and from the last kill until everything had come to its end.
    firing: float
    settling: float


def run(plan: Plan, laboratory: Laboratory) -> Outcome:
    """Carry a campaign out in a fresh laboratory, then wait for the end of every document, and audit."""
    began = time.monotonic()
    rng = random.Random(plan.seed)
    tally = Tally()
    weather = plan.weather
    given = len(laboratory.drafts())
    laboratory.subscribe({"backoff": _BACKOFF, **weather.push})
    laboratory.control("PUT", "/b1/gateway", {"lag_s": weather.lag})
    rates = {"rates": dict(weather.faults), "timeout_s": 5.0, "seed": plan.seed}
    laboratory.control("PUT", "/faults", rates)
    with _approvers(laboratory, plan.seed):
        for number, fault in enumerate(_schedule(plan, rng)):
            wanted = plan.documents * (number + 1) // plan.kills
            if wanted > given:
                laboratory.control("POST", "/b1/drafts", {"count": wanted - given, "lines": 2})
                given = wanted
            _one_life(laboratory, fault, rng, tally)
            _echo(laboratory, weather.echoes, rng)
        ceased = time.monotonic()
        met = laboratory.control("GET", "/faults")["met"]
        laboratory.control("DELETE", "/faults")
        laboratory.start()
        found = _await_end(laboratory, plan, tally)
    laboratory.kill()
    over = time.monotonic()
    return Outcome(plan=plan, audit=found, tally=tally, met=met, firing=ceased - began, settling=over - ceased)


def _schedule(plan: Plan, rng: random.Random) -> Iterator[FaultPoint | None]:
    """Where each life ends: the points one after the other, in between (None) a random moment."""
    named = min(plan.kills, max(round(plan.kills * plan.at_points), 0))
    deck: list[FaultPoint] = []
    while len(deck) < named:
        deck += rng.sample(plan.weather.points, len(plan.weather.points))
    slots = [True] * named + [False] * (plan.kills - named)
    rng.shuffle(slots)
    following = iter(deck)
    return (next(following) if at_point else None for at_point in slots)


def _one_life(laboratory: Laboratory, fault: FaultPoint | None, rng: random.Random, tally: Tally) -> None:
    """From the start of the runtime to its death."""
    if fault is None:
        laboratory.start()
        if rng.random() < 0.8:
            _wait(laboratory.ready, _START_LIMIT)
            time.sleep(rng.uniform(0, 1.5))
        else:
            # In the middle of starting up.
            time.sleep(rng.uniform(0, 1.0))
        _kill(laboratory, tally)
        return
    for passing in (rng.randint(1, _OFTEN.get(fault, 2)), 1):
        laboratory.start(f"{fault}:{passing}")
        if _dies(laboratory):
            tally.at_points[fault] += 1
            return
        _kill(laboratory, tally)


def _kill(laboratory: Laboratory, tally: Tally) -> None:
    tally.at_random += laboratory.alive
    laboratory.kill()


def _dies(laboratory: Laboratory) -> bool:
    """Whether an armed runtime kills itself; a new draft every now and then gives it something to do."""
    _wait(lambda: not laboratory.alive or laboratory.ready(), _START_LIMIT)
    for _ in range(_OFFERS):
        if _wait(lambda: not laboratory.alive, _OFFER_EVERY):
            return True
        laboratory.control("POST", "/b1/drafts", {"count": 1, "lines": 2})
    return _wait(lambda: not laboratory.alive, _OFFER_EVERY)


def _echo(laboratory: Laboratory, echoes: int, rng: random.Random) -> None:
    """Events of the past come once more."""
    if echoes:
        events = laboratory.control("GET", laboratory.events)[laboratory.events.rpartition("/")[2]]
        for event in rng.sample(events, min(echoes, len(events))):
            laboratory.control("POST", f"{laboratory.events}/{event['id']}/{laboratory.again}")


def _await_end(laboratory: Laboratory, plan: Plan, tally: Tally) -> Audit:
    """Audit until every document has come to its end and stays there, or the time is over."""
    deadline = time.monotonic() + plan.settle
    while True:
        _wait(lambda: _judge(laboratory, plan, tally).settled, deadline - time.monotonic(), every=_LOOK)
        time.sleep(_CALM)
        assert laboratory.alive
        found = _judge(laboratory, plan, tally)
        if found.settled or time.monotonic() > deadline:
            return found


def _judge(laboratory: Laboratory, plan: Plan, tally: Tally) -> Audit:
    return audit(laboratory.drafts(), laboratory.approvals(), tally, plan.demand)


@contextmanager
def _approvers(laboratory: Laboratory, seed: int) -> Iterator[None]:
    """People who agree, refuse and withdraw in the background."""
    rng, over = random.Random(f"{seed} approvers"), threading.Event()

    def decide() -> None:
        with httpx.Client(
            base_url=f"{laboratory.sandbox}/control/{laboratory.system}", timeout=30, trust_env=False
        ) as desk:
            while not over.wait(_INBOX):
                for instance in laboratory.waiting(desk):
                    if rng.random() < _EAGER:
                        laboratory.decide(desk, instance, rng)

    people = threading.Thread(target=decide, name="approvers", daemon=True)
    people.start()
    try:
        yield
        assert people.is_alive()
    finally:
        over.set()
        people.join(timeout=60)


def _wait(look: Any, limit: float, *, every: float = 0.03) -> bool:
    """Look until something true comes back, or the time is over."""
    deadline = time.monotonic() + limit
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
