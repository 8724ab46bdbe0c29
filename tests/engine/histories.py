"""How the state machines go through their histories."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

__all__ = ["go_through"]


def go_through(machine: type[RuleBasedStateMachine], *, histories: int, steps: int) -> None:
    """So many histories of so many steps each.

    A counterexample of some twenty steps reads well enough, and shrinking it takes minutes.
    """
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=histories,
            phases=[Phase.reuse, Phase.generate],
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
