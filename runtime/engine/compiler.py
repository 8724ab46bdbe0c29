"""From a mapping document to closures, once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from runtime.engine import steps as make
from runtime.engine.call import CallStep as CompiledCall
from runtime.engine.context import StepFunction
from runtime.engine.each import Each
from runtime.engine.steps import CompiledFlow
from runtime.errors import BadMapping
from runtime.mapping.expressions import Scope, compile_expression, compile_value
from runtime.mapping.mapper import compile_map
from runtime.mapping.models import (
    CallStep,
    EachStep,
    Flow,
    IfStep,
    Mapping,
    MapStep,
    RespondStep,
    RunStep,
    SetStep,
    StopStep,
    SwitchStep,
    TryStep,
    WhileStep,
)

__all__ = ["Compiled", "compile_mapping"]

Value = Callable[[Scope], Any]
Compiled = dict[str, CompiledFlow]

#: Fields that are an expression even without braces.
_CONDITIONS = frozenset({"each", "key", "if_", "switch", "while_"})


def compile_mapping(mapping: Mapping) -> Compiled:
    """All flows of a mapping, by name.

    :raises BadMapping: a step refers to what is not there
    :raises BadExpression: an expression does not compile
    """
    flows: Compiled = {}
    for name, flow in mapping.flows.items():
        compiler = _FlowCompiler(mapping, name, flows)
        run = compiler.compile(flow)
        flows[name] = CompiledFlow(name, run, frozenset(compiler.places), compiler.inner, flows)
    return flows


class _Level:
    """Steps that share the front part of their place: of a flow, of a loop's body."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._seen: Counter[str] = Counter()

    def label(self, name: str) -> str:
        """The name, numbered from its second use on. Branches do not count: a step keeps its place inside an ``if``."""
        self._seen[name] += 1
        count = self._seen[name]
        return name if count == 1 else f"{name}#{count}"


class _FlowCompiler:
    def __init__(self, mapping: Mapping, flow: str, flows: Compiled) -> None:
        self._mapping = mapping
        self._flow = flow
        self._flows = flows
        self._documents = 0
        self.places: set[str] = set()
        self.inner: dict[str, str] = {}

    def compile(self, flow: Flow) -> StepFunction:
        return self._steps(flow.steps, _Level(""), nested=False)

    def _steps(self, steps: Sequence[Any], level: _Level, *, nested: bool) -> StepFunction:
        compiled = []
        for index, step in enumerate(steps):
            if isinstance(step, CallStep):
                compiled.append(self._call(step, level, streams=_used_once(step, steps[index + 1 :])))
            else:
                compiled.append(self._step(step, level, nested=nested))
        return make.sequence(compiled)

    def _step(self, step: Any, level: _Level, *, nested: bool) -> StepFunction:
        match step:
            case MapStep():
                place = self._place(level, step.id or "map")
                mapper = compile_map(step.map, timezone=self._mapping.timezone, where=self._where(level, place))
                return make.fill(place, mapper, step.id)
            case EachStep():
                return self._each(step, level, nested=nested)
            case WhileStep():
                place = self._place(level, step.id or "while")
                body = self._steps(step.steps, _Level(f"{level.prefix}{place}/"), nested=nested)
                return make.repeat(place, self._condition(step.while_, level, place), step.limit, body)
            case IfStep() | SwitchStep() | TryStep():
                return self._branches(step, level, nested=nested)
            case _:
                return self._simple(step, level)

    def _branches(self, step: IfStep | SwitchStep | TryStep, level: _Level, *, nested: bool) -> StepFunction:
        """Branches share the level of the step that they belong to."""
        if isinstance(step, IfStep):
            place = self._place(level, step.id or "if")
            condition = self._condition(step.if_, level, place)
            then = self._steps(step.then, level, nested=nested)
            return make.choose(place, condition, then, self._steps(step.else_, level, nested=nested))
        if isinstance(step, TryStep):
            place = self._place(level, step.id or "try")
            body = self._steps(step.try_, level, nested=nested)
            return make.try_and_catch(place, body, self._steps(step.catch, level, nested=nested))
        place = self._place(level, step.id or "switch")
        value = self._condition(step.switch, level, place)
        cases = [
            (self._value(case.when, level, place), self._steps(case.steps, level, nested=nested)) for case in step.cases
        ]
        return make.select(place, value, cases, self._steps(step.default, level, nested=nested))

    def _simple(self, step: Any, level: _Level) -> StepFunction:
        match step:
            case SetStep():
                place = self._place(level, step.id or "set")
                variables = [
                    (name.removesuffix("+").strip(), name.endswith("+"), self._value(value, level, f"{place}.{name}"))
                    for name, value in step.set.items()
                ]
                return make.set_variables(place, variables)
            case RunStep():
                place = self._place(level, step.id or f"run.{step.run}")
                if step.run not in self._mapping.flows:
                    raise BadMapping(
                        f"没有名为 {step.run} 的流程",
                        f"There is no flow {step.run}",
                        where=self._where(level, place),
                    )
                self.inner[level.prefix + place] = step.run
                return make.call_flow(place, step.run, self._flows, self._value(step.with_, level, place), step.id)
            case RespondStep():
                place = self._place(level, step.id or "respond")
                answer = step.respond
                parts = [self._value(part, level, place) for part in (answer.status, answer.body, answer.headers)]
                return make.respond(place, *parts)
            case StopStep():
                place = self._place(level, step.id or "stop")
                return make.stop(place, self._value(step.stop, level, place), failed=step.failed)
        raise BadMapping("未知的步骤", "An unknown kind of step", where=self._where(level, type(step).__name__))

    def _call(self, step: CallStep, level: _Level, *, streams: bool) -> StepFunction:
        place = self._place(level, step.id or step.call)
        role = step.call.partition(".")[0]
        if role not in self._mapping.connections:
            raise BadMapping(
                f"映射没有为角色 {role} 指定连接",
                f"The mapping gives the role {role} no connection",
                where=self._where(level, place),
            )
        values = self._value(step.with_, level, place)
        return CompiledCall(place=place, call=step.call, values=values, name=step.id, streams=streams)

    def _each(self, step: EachStep, level: _Level, *, nested: bool) -> StepFunction:
        place = self._place(level, step.id or f"each.{step.as_}")
        if not nested and step.key is not None:
            self._documents += 1
        return Each(
            place=place,
            source=self._condition(step.each, level, place),
            variable=step.as_,
            key=self._condition(step.key, level, f"{place}.key") if step.key is not None else None,
            concurrency=step.concurrency,
            body=self._steps(step.steps, _Level(f"{level.prefix}{place}/"), nested=True),
            ordinal=max(self._documents, 1),
        )

    def _place(self, level: _Level, name: str) -> str:
        place = level.label(name)
        self.places.add(level.prefix + place)
        return place

    def _where(self, level: _Level, place: str) -> str:
        return f"{self._mapping.id} {self._flow}: {level.prefix}{place}"

    def _value(self, value: Any, level: _Level, place: str) -> Value:
        return compile_value(_plain(value), where=self._where(level, place))

    def _condition(self, text: str, level: _Level, place: str) -> Value:
        """``{{ draft.ok }}``, or just ``draft.ok``: as a text it would be true for ever."""
        where = self._where(level, place)
        return compile_value(text, where=where) if "{{" in text else compile_expression(text, where=where)


def _used_once(call: CallStep, following: Sequence[Any]) -> bool:
    """Whether the result is only ever the source of one ``each`` beside the call: then it may stay a stream."""
    if call.id is None:
        return False
    uses = [step for step in following if call.id in set(_names(step))]
    if len(uses) != 1 or not isinstance(uses[0], EachStep):
        return False
    each = uses[0]
    alone = re.fullmatch(r"\{\{\s*(\w+)\s*\}\}|(\w+)", each.each.strip())
    if alone is None or call.id not in alone.groups():
        return False
    return call.id not in {name for inner in each.steps for name in _names(inner)}


def _names(part: Any, field: str = "") -> Iterator[str]:
    """Free variables of every expression in a step and the steps inside it."""
    if isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _names(getattr(part, name), name)
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _names(key)
            if field == "set":
                # With ``+`` it reads the variable that it appends to.
                yield key.removesuffix("+").strip()
            yield from _names(value)
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _names(item, field)
    elif isinstance(part, str):
        if "{{" in part:
            yield from compile_value(part).names
        elif field in _CONDITIONS:
            yield from compile_expression(part).names
        elif field == "from_":
            yield re.split(r"[.\[]", part, maxsplit=1)[0]


def _plain(value: Any) -> Any:
    """Tuples of the frozen models as lists."""
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
