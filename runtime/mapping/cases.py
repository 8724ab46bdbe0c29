"""Golden cases: rows kept with the mapping, and the forms that they must become."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from runtime.errors import IntegrationError
from runtime.mapping.mapper import compile_map
from runtime.mapping.models import Case, Mapping, MapStep
from runtime.mapping.parts import parts
from runtime.mapping.problems import Problem
from runtime.mapping.values import open_zone, shown

__all__ = ["check_cases"]


def check_cases(mapping: Mapping) -> Iterator[Problem]:
    """Every case whose ``map`` steps do not yield what it expects."""
    for index, case in enumerate(mapping.cases):
        yield from _check(mapping, case, f"cases[{index}]")


def _check(mapping: Mapping, case: Case, where: str) -> Iterator[Problem]:
    flow = mapping.flows.get(case.flow)
    if flow is None:
        yield Problem("error", f"{where}.flow", f"没有名为“{case.flow}”的流程", f"There is no flow {case.flow!r}")
        return
    steps = {part.id: part for part in parts(flow.steps) if isinstance(part, MapStep) and part.id is not None}
    moment = datetime(2026, 1, 1, tzinfo=UTC).astimezone(open_zone(mapping.timezone))
    scope: dict[str, Any] = {"settings": mapping.settings, "now": moment, "run_id": "case", **case.input}
    if not any(case.expect.values()):
        yield Problem(
            "warning",
            f"{where}.expect",
            f"用例“{case.name}”没有写期望值，什么也没有核对",
            f"Case {case.name!r} expects nothing, so nothing is checked",
        )
        return
    for name, expected in case.expect.items():
        place = f"{where}.expect.{name}"
        if name not in steps:
            yield Problem(
                "error",
                place,
                f"流程 {case.flow} 里没有 id 为“{name}”的 map 步骤",
                f"Flow {case.flow} has no map step with the id {name!r}",
            )
            continue
        try:
            found = compile_map(steps[name].map, timezone=mapping.timezone, where=name)(scope)
        except IntegrationError as error:
            yield Problem(
                "error", place, f"用例“{case.name}”出错：{error.zh}", f"Case {case.name!r} failed: {error.en}"
            )
            continue
        scope[name] = found
        for path, wanted, got in _differences(expected, found, ""):
            yield Problem(
                "error",
                f"{place}{path}",
                f"用例“{case.name}”应得 {wanted}，实得 {got}",
                f"Case {case.name!r} expects {wanted}, but got {got}",
            )


def _differences(expected: Any, found: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """(path, expected, found) for every difference; a key that only one side has counts."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in dict.fromkeys((*expected, *found)):
            inner = f"{path}.{key}"
            if key not in found:
                yield inner, shown(expected[key]), "—"
            elif key not in expected:
                yield inner, "—", shown(found[key])
            else:
                yield from _differences(expected[key], found[key], inner)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, two) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(one, two, f"{path}[{index}]")
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):
        yield path, shown(expected), shown(found)
