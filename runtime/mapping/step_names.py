"""Names for the steps that problems are about, so that nobody has to count them in the document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pydantic import BaseModel

from runtime.mapping.models import CallStep, Mapping, SwitchCase
from runtime.mapping.problems import Problem

__all__ = ["with_step_names"]

#: One way down: ``.steps[1]``, ``.then[0]``.
_DOWN: Final = re.compile(r"\.(\w+)\[(\d+)\]")


def with_step_names(mapping: Mapping, problems: Iterable[Problem]) -> list[Problem]:
    """The problems, their sentences introduced by number and name of the innermost step; ``where`` stays as it is."""
    return [_named(problem, *_step(mapping, problem.where)) for problem in problems]


def _named(problem: Problem, number: str, name: str) -> Problem:
    if not number:
        return problem
    # What is called is often what the sentence is about.
    known = "" if "." in name and name in problem.en else f" {name}"
    return replace(problem, zh=f"第 {number} 步{known}：{problem.zh}", en=f"Step {number}{known}: {problem.en}")


def _step(mapping: Mapping, where: str) -> tuple[str, str]:
    """Number and name of the step that a place lies in, empty if it lies in none.

    The number counts from 1 and goes inwards: 2.1 is the first step, or the first case, inside the second step.
    """
    flow = next((name for name in mapping.flows if where.startswith(f"flows.{name}.steps[")), None)
    if flow is None:
        return "", ""
    part: BaseModel = mapping.flows[flow]
    numbers: list[str] = []
    named = ""
    rest = where.removeprefix(f"flows.{flow}")
    while down := _DOWN.match(rest):
        inside = getattr(part, down[1], None) or getattr(part, f"{down[1]}_", None)
        if not isinstance(inside, tuple) or int(down[2]) >= len(inside):
            break
        part = inside[int(down[2])]
        numbers.append(str(int(down[2]) + 1))
        if not isinstance(part, SwitchCase):
            named = _name(part)
        rest = rest[down.end() :]
    return ".".join(numbers), named


def _name(step: BaseModel) -> str:
    """The id of a step; without one what it calls, or its kind: ``map``, ``each``, ``if`` …"""
    kind = type(step).__name__.removesuffix("Step").lower()
    return getattr(step, "id", None) or (step.call if isinstance(step, CallStep) else kind)
