"""Which mappings collide is worked out once for what has not changed, and anew for what has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import studio.workspace
from runtime.engine.submissions import Submission, submissions
from runtime.mapping.models import Mapping
from runtime.sandbox import demo
from studio.workspace import Workspace


@pytest.fixture
def looked_into(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the mappings whose steps were gone through."""
    names: list[str] = []

    def watched(mapping: Mapping, *rest: Any) -> Iterator[Submission]:
        names.append(mapping.id)
        return submissions(mapping, *rest)

    monkeypatch.setattr(studio.workspace, "submissions", watched)
    return names


@pytest.fixture
def space(workspace: Path) -> Workspace:
    return studio.workspace.workspace()


def twins(space: Workspace, **changed: Any) -> list[Mapping]:
    """``demo``, and another one like it."""
    first = space.mappings.load("demo").mapping
    return [first, first.model_copy(update={"id": "twin", **changed})]


def told(space: Workspace, mappings: list[Mapping]) -> set[tuple[str, str]]:
    return {(one.mapping, one.other) for one in space.overlaps(mappings)}


BOTH = {("demo", "twin"), ("twin", "demo")}


def test_what_has_not_changed_is_gone_through_once(space: Workspace, looked_into: list[str]) -> None:
    assert told(space, twins(space)) == BOTH
    assert told(space, twins(space)) == BOTH
    assert looked_into == ["demo", "twin"]


def test_of_what_has_changed_only_that_is_gone_through(space: Workspace, looked_into: list[str]) -> None:
    first, second = twins(space)
    assert told(space, [first, second]) == BOTH
    apart = second.model_copy(update={"settings": {**second.settings, "document_type": "22"}})
    assert told(space, [first, apart]) == set()
    assert told(space, [first, second.model_copy(update={"enabled": False})]) == set()
    assert looked_into == ["demo", "twin", "twin"]


def test_a_connection_that_leads_elsewhere_now_is_noticed(space: Workspace) -> None:
    [document] = [one for name, one in demo.connections("http://sandbox").items() if name == demo.B1_CONNECTION]
    space.connections.save("b1-other", {**document, "base_url": "http://another"})
    found = twins(space, connections={**space.mappings.load("demo").mapping.connections, "erp": "b1-other"})
    assert told(space, found) == set()
    address = space.connections.get(demo.B1_CONNECTION).address
    space.connections.save("b1-other", {**document, "base_url": address})
    assert told(space, found) == BOTH
