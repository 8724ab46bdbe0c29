"""Which of several reports on one approval stands: repetitions, changes of mind, and what arrives out of order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.connectors.events import Outcome
from runtime.store.reports import Report, Turn, turn_of

Y, N = Outcome.AGREED, Outcome.REFUSED
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(minute: int | None) -> datetime | None:
    return None if minute is None else START + timedelta(minutes=minute)


def judge(
    earlier: list[Report], outcome: Outcome, digest: str, *, minute: int | None = None, key: str | None = None
) -> Turn:
    return turn_of(earlier, outcome, digest, decided_at=at(minute), key=key)


def reported(
    outcome: Outcome, digest: str, turn: int = 1, *, minute: int | None = None, refused: bool = False, key: str = ""
) -> Report:
    return Report(outcome=outcome, key=key, digest=digest, turn=turn, decided_at=at(minute), refused=refused)


def test_the_first_report_and_its_repetitions_are_one_turn() -> None:
    assert judge([], Y, "a") == Turn()
    for digest in ("a", "b"):
        assert judge([reported(Y, "a")], Y, digest) == Turn()


def test_a_verdict_that_comes_back_is_a_turn_of_its_own() -> None:
    history = [reported(Y, "a")]
    assert judge(history, N, "b") == Turn(number=1, changes=True)
    history.append(reported(N, "b"))
    assert judge(history, Y, "c") == Turn(number=2, changes=True)
    history.append(reported(Y, "c", 2))
    assert judge(history, Y, "a").number == 2
    assert judge(history, N, "d") == Turn(number=2, changes=True)


def test_the_same_words_again_after_another_verdict_cannot_be_told_apart() -> None:
    history = [reported(Y, "a"), reported(N, "b")]
    assert judge(history, Y, "a") == Turn(number=2, changes=True, doubtful=True)


def test_a_key_or_a_time_tells_them_apart() -> None:
    history = [reported(Y, "a", minute=1, key="1"), reported(N, "b", minute=2, key="2")]
    assert judge(history, Y, "a", key="1") == Turn(number=1, changes=True, outdated=True)
    assert judge(history, Y, "a", minute=1) == Turn(number=1, changes=True, outdated=True)
    assert judge(history, Y, "c", minute=1).outdated
    assert judge(history, Y, "c", minute=3) == Turn(number=2, changes=True)
    # a time that is the same for all reports of an approval says nothing about their order
    constant = [reported(Y, "a", minute=1), reported(N, "b", minute=1)]
    assert judge(constant, Y, "a", minute=1).doubtful


def test_a_key_of_its_own_makes_a_new_verdict_of_the_same_words() -> None:
    history = [reported(Y, "a", key="1"), reported(N, "b", key="2")]
    assert judge(history, Y, "a", key="3") == Turn(number=2, changes=True)
    assert judge(history, N, "b", key="3") == Turn(number=1)


@pytest.mark.parametrize("key", [None, "1"])
def test_one_whose_words_were_forgotten_may_have_been_just_like_it(key: str | None) -> None:
    gone = [replace(reported(Y, ""), forgotten=True), replace(reported(N, ""), forgotten=True)]
    assert judge(gone, N, "b", key=key) == Turn()
    assert judge(gone, Y, "a", key=key) == Turn(number=2, changes=True, doubtful=True)
    assert judge(gone[1:], Y, "a", key=key) == Turn(number=1, changes=True)
    stands = [gone[0], reported(N, "b", minute=2, key="2")]
    assert judge(stands, Y, "a", key=key).doubtful
    assert judge(stands, Y, "a", minute=2, key=key).doubtful
    assert judge(stands, Y, "a", minute=1, key=key).outdated
    assert judge(stands, Y, "a", minute=3, key=key) == Turn(number=2, changes=True)


def test_what_was_not_believed_does_not_stand() -> None:
    history = [reported(Y, "a"), reported(N, "b"), reported(Y, "a", 2, refused=True)]
    assert judge(history, N, "b") == Turn()
    assert judge(history, Y, "c") == Turn(number=2, changes=True)
    assert judge(history, Y, "a") == Turn(number=2, changes=True, doubtful=True)


@given(st.lists(st.sampled_from([Y, N]), min_size=1, max_size=12))
def test_every_change_has_a_place_of_its_own_in_the_ledger_and_no_repetition_has(said: list[Outcome]) -> None:
    history: list[Report] = []
    places: list[tuple[Outcome, int]] = []
    for number, outcome in enumerate(said):
        turn = judge(history, outcome, str(number))
        assert turn.changes == any(one != outcome for one in said[:number])
        assert not turn.doubtful
        history.append(Report(outcome=outcome, key="", digest=str(number), turn=turn.number, changes=turn.changes))
        place = (outcome, turn.number)
        if number and said[number - 1] == outcome:
            assert place == places[-1]
        else:
            assert place not in places
            places.append(place)
