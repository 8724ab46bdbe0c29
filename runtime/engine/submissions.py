"""Which documents a mapping would send for approval, as far as its steps tell before a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import StrictUndefined

from runtime import jsontext
from runtime.engine.context import choice_scope
from runtime.errors import IntegrationError
from runtime.mapping.choosing import choose_connections, names_of
from runtime.mapping.demands import Demands, odata_demands
from runtime.mapping.expressions import CompiledValue, compile_operand, compile_value
from runtime.mapping.models import (
    CallStep,
    EachStep,
    IfStep,
    Mapping,
    RunStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    WhileStep,
)
from runtime.mapping.parts import parts
from runtime.store.overlap import APPROVAL

__all__ = ["Submission", "submissions"]

#: Whose documents they are, and the entity or table.
Record = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One place at which a flow creates an approval for each document that it reads."""

    mapping: str
    flow: str
    #: Entity or table, for people.
    documents: str
    #: What they are: where they are read, and where they are marked.
    records: frozenset[Record]
    #: What is given to the call that reads them, settings filled in.
    source: str
    #: What that demands of single fields; None = only a run tells.
    demands: Demands | None
    #: Conditions of steps on which the approval is created, with the settings that they use.
    guards: frozenset[str]


def submissions(mapping: Mapping, company: Callable[[str], str], now: datetime) -> Iterator[Submission]:
    """All of a mapping's flows, except those that only run by hand.

    :param company: name of a connection → whose documents it leads to, the same for two that lead to the same ones
    :param now: the time for which filters are worked out
    """
    for name, flow in mapping.flows.items():
        if flow.trigger.manual is None:
            yield from _Walk(mapping, name, company, now).steps(flow.steps, frozenset(), None)


@dataclass(frozen=True)
class _Documents:
    """What an ``each`` goes through: the call that reads it, and the calls inside that write into the same record."""

    read: CallStep
    written: tuple[CallStep, ...]


class _Walk:
    def __init__(self, mapping: Mapping, flow: str, company: Callable[[str], str], now: datetime) -> None:
        self._mapping = mapping
        self._flow = flow
        self._company = company
        self._reads: dict[str, CallStep] = {}
        self._running = [flow]
        self._known = {"settings": mapping.settings, "now": now}
        try:
            self._chosen = choose_connections(mapping, flow, choice_scope(mapping, input=None, request=None))
        except IntegrationError:
            self._chosen = {}  # it depends on the request: any of them

    def steps(
        self, steps: Sequence[Step], guards: frozenset[str], documents: _Documents | None
    ) -> Iterator[Submission]:
        for step in steps:
            match step:
                case CallStep() if documents is not None and step.call.endswith(f".{APPROVAL}"):
                    yield self._submission(documents, guards)
                case CallStep() if step.id is not None:
                    self._reads[step.id] = step
                case EachStep():
                    yield from self.steps(step.steps, guards, self._documents(step) or documents)
                case IfStep():
                    yes, no = self._guard(step.if_, True), self._guard(step.if_, False)
                    yield from self._branch(step.then, guards, yes, documents)
                    yield from self._branch(step.else_, guards, no, documents)
                    behind = no if _stops(step.then) else yes if _stops(step.else_) else frozenset()
                    if behind is None:
                        return
                    guards |= behind
                case SwitchStep():
                    for case in step.cases:
                        yield from self.steps(case.steps, guards | {f"{step.switch} {case.when}"}, documents)
                    yield from self.steps(step.default, guards | {f"{step.switch} default"}, documents)
                case WhileStep():
                    yield from self.steps(step.steps, guards, documents)
                case TryStep():
                    yield from self.steps(step.try_, guards, documents)
                    yield from self.steps(step.catch, guards, documents)
                case RunStep() if step.run in self._mapping.flows and step.run not in self._running:
                    self._running.append(step.run)
                    yield from self.steps(self._mapping.flows[step.run].steps, guards, documents)
                    self._running.pop()

    def _branch(
        self, steps: Sequence[Step], guards: frozenset[str], guard: frozenset[str] | None, documents: _Documents | None
    ) -> Iterator[Submission]:
        if guard is not None:
            yield from self.steps(steps, guards | guard, documents)

    def _documents(self, each: EachStep) -> _Documents | None:
        try:
            names = compile_operand(each.each).names
        except IntegrationError:
            return None  # reported by the check of the mapping itself
        read = next((call for name, call in self._reads.items() if name in names), None)
        if read is None:
            return None
        calls = [part for part in parts(each.steps) if isinstance(part, CallStep)]
        written = (call for call in calls if call.with_.get("key") == each.key and "entity" in call.with_)
        return _Documents(read, tuple(call for call in written if call.call.endswith(".update")))

    def _submission(self, documents: _Documents, guards: frozenset[str]) -> Submission:
        given = self._filled(documents.read.with_)
        marked = [record for call in documents.written for record in self._records(call, self._filled(call.with_))]
        statement, demands = given.get("statement"), odata_demands(str(given.get("filter") or ""))
        read = {"entity": given.get("entity")}
        if isinstance(statement, str) and (asked := _asked(statement, given.get("parameters"))) is not None:
            read, demands = {"entity": asked[0]}, asked[1]
        found = [*marked, *self._records(documents.read, read)]
        return Submission(
            mapping=self._mapping.id,
            flow=self._flow,
            documents=found[0][1] if found else "",
            records=frozenset(found),
            source=jsontext.dumps(given).decode(),
            demands=None if "{{" in str(given.get("filter")) or "{{" in str(statement) else demands,
            guards=guards,
        )

    def _records(self, call: CallStep, given: dict[str, Any]) -> Iterator[Record]:
        role = call.call.partition(".")[0]
        chosen = self._chosen.get(role)
        entity = given.get("entity")
        if isinstance(entity, str) and entity:
            for name in (chosen,) if chosen else names_of(self._mapping, role):
                yield self._company(name), entity

    def _filled(self, values: Any) -> dict[str, Any]:
        """What a call is given, as far as the settings and the time tell; the rest stays as it is written."""
        filled: dict[str, Any] = {}
        for name, value in values.items():
            try:
                filled[name] = self._settled(compile_value(value))
            except IntegrationError:
                filled[name] = value
        return filled

    def _settled(self, compiled: CompiledValue) -> Any:
        """A value that needs nothing but what is known beforehand.

        :raises MappingFailed: only a run can tell it
        """
        untold = {name: StrictUndefined(name=name) for name in compiled.names - self._known.keys()}
        return compiled({**self._known, **untold})

    def _guard(self, condition: str, wanted: bool) -> frozenset[str] | None:
        """A condition with its settings. Where the settings alone decide it: nothing if it is as wanted, else None."""
        try:
            compiled = compile_operand(condition)
        except IntegrationError:
            return frozenset()  # reported by the check of the mapping itself
        try:
            return frozenset() if bool(self._settled(compiled)) is wanted else None
        except IntegrationError:
            paths = {path for one in compiled.expressions for path in one.references if path[0] == "settings"}
            used = {path[1]: self._mapping.settings.get(path[1]) for path in sorted(paths) if path[1:]}
            return frozenset((f"{wanted} {condition} {jsontext.dumps(used).decode()}",))


def _stops(steps: Sequence[Step]) -> bool:
    return any(isinstance(step, StopStep) for step in steps)


def _asked(statement: str, parameters: Any) -> tuple[str, Demands] | None:
    """The main table of a statement and what it demands of single fields; None if it cannot be read."""
    from runtime.connectors.statements.demands import read_statement, statement_demands
    from runtime.connectors.statements.fields import main_table

    parsed = read_statement(statement)
    if parsed is None:
        return None
    return main_table(parsed), statement_demands(parsed, parameters if isinstance(parameters, dict) else {})
