"""The step kinds that call nobody: ``map if switch while set try run respond stop``, and sequences of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.engine.context import Answer, Frame, Interrupted, StepFunction, Stopped, Variables
from runtime.errors import BadMapping, FixData, IntegrationError, MappingFailed
from runtime.mapping.expressions import Scope
from runtime.mapping.mapper import Mapper
from runtime.mapping.models import Response

__all__ = [
    "CompiledFlow",
    "answer_of",
    "call_flow",
    "choose",
    "error_variable",
    "fill",
    "repeat",
    "respond",
    "select",
    "sequence",
    "set_variables",
    "stop",
    "try_and_catch",
]

Value = Callable[[Scope], Any]

#: Flows inside flows inside flows …
DEPTH_LIMIT = 8
#: What a sub-flow sees of the flow that runs it.
_COMMON = ("settings", "now", "run_id", "choices", "event", "request")


class _Variable(list[Any]):
    """A list that ``set`` made: it may be appended to in place, inside ``each`` too."""


@dataclass(frozen=True)
class CompiledFlow:
    """A flow, ready to be carried out."""

    name: str
    run: StepFunction
    #: Places of its own steps, without loop elements.
    places: frozenset[str]
    #: Places of ``run`` steps → the flow that they run.
    inner: Mapping[str, str]
    flows: Mapping[str, CompiledFlow]

    def has_place(self, place: str) -> bool:
        """Whether a step stands there, in this flow or in one that it runs.

        :param place: without loop elements: ``draft/lines/oa.comment``
        """
        return place in self.places or any(
            place.startswith(f"{front}/") and self.flows[flow].has_place(place[len(front) + 1 :])
            for front, flow in self.inner.items()
        )


def sequence(steps: Sequence[StepFunction]) -> StepFunction:
    """One after the other; a run that was asked to stop begins none any more."""

    async def run(frame: Frame, scope: Variables) -> None:
        for step in steps:
            if frame.run.stopping:
                raise Interrupted
            await step(frame, scope)

    return run


def fill(place: str, mapper: Mapper, name: str | None) -> StepFunction:
    """``map``"""

    async def run(frame: Frame, scope: Variables) -> None:
        with frame.records.begin(frame.prefix + place, "map") as record:
            form = frame.run.performer.map(frame, record, name or place, mapper, scope)
            record.output = form
        if name is not None:
            scope[name] = form

    return run


def choose(place: str, condition: Value, then: StepFunction, otherwise: StepFunction) -> StepFunction:
    """``if``"""

    async def run(frame: Frame, scope: Variables) -> None:
        with frame.records.begin(frame.prefix + place, "if") as record:
            chosen = bool(condition(scope))
            record.note = "then" if chosen else "else"
        await (then if chosen else otherwise)(frame, scope)

    return run


def select(
    place: str, value: Value, cases: Sequence[tuple[Value, StepFunction]], default: StepFunction
) -> StepFunction:
    """``switch``: the first case that equals the value, as it is or as text."""

    async def run(frame: Frame, scope: Variables) -> None:
        with frame.records.begin(frame.prefix + place, "switch") as record:
            found = value(scope)
            chosen = default
            record.note = "default"
            for when, steps in cases:
                wanted = when(scope)
                options = wanted if isinstance(wanted, list | tuple) else [wanted]
                if any(option == found or str(option) == str(found) for option in options):
                    chosen = steps
                    record.note = str(found)
                    break
        await chosen(frame, scope)

    return run


def repeat(place: str, condition: Value, limit: int, body: StepFunction) -> StepFunction:
    """``while``"""

    async def run(frame: Frame, scope: Variables) -> None:
        rounds = 0
        while condition(scope):
            rounds += 1
            if rounds > limit:
                raise MappingFailed(
                    f"while 循环超过了 {limit} 次",
                    f"The while loop went on for more than {limit} rounds",
                    where=frame.prefix + place,
                )
            await body(frame.inner(prefix=f"{frame.prefix}{place}[{rounds}]/", owns_document=False), scope)

    return run


def set_variables(place: str, variables: Sequence[tuple[str, bool, Value]]) -> StepFunction:
    """``set``

    :param variables: (name, whether to append, value)
    """

    async def run(frame: Frame, scope: Variables) -> None:
        with frame.records.begin(frame.prefix + place, "set"):
            for name, append, value in variables:
                computed = value(scope)
                if append:
                    _append(scope, name, computed, frame.prefix + place)
                else:
                    # A copy: the list may be a constant of the mapping, or belong to a row.
                    scope[name] = _Variable(computed) if isinstance(computed, list) else computed

    return run


def _append(scope: Variables, name: str, value: Any, where: str) -> None:
    found = scope.get(name)
    if found is None:
        found = scope[name] = _Variable()
    elif not isinstance(found, list):
        raise MappingFailed(
            f"变量 {name} 不是列表，不能追加", f"The variable {name} is no list to append to", where=where
        )
    elif not isinstance(found, _Variable):
        found = scope[name] = _Variable(found)
    found.append(value)


def try_and_catch(place: str, body: StepFunction, catch: StepFunction) -> StepFunction:
    """``try``; an effect whose outcome is not known, or a verdict that is not true, is no error to go on from."""

    async def run(frame: Frame, scope: Variables) -> None:
        try:
            await body(frame, scope)
        except IntegrationError as error:
            if frame.run.contradicted or (frame.document is not None and frame.document.unsettled):
                raise
            with frame.records.begin(frame.prefix + place, "try") as record:
                record.note = "catch"
                record.error = error
            scope["error"] = error_variable(error)
            await catch(frame, scope)

    return run


def error_variable(error: IntegrationError) -> Variables:
    """The variable ``error``, of a ``catch`` and of an HTTP flow's ``on_error``."""
    return {
        "message": error.sentence("zh-CN"),
        "code": error.code,
        "remote": error.remote,
        "where": error.where,
    }


def answer_of(status: Any, body: Any, headers: Mapping[str, Any], where: str) -> Response:
    """An answer whose expressions are worked out.

    :raises MappingFailed: the status is no number
    """
    try:
        number = int(status)
    except (TypeError, ValueError) as error:
        raise MappingFailed(
            f"应答状态 {status!r} 不是数字", f"The status {status!r} is no number", where=where
        ) from error
    return Response(status=number, body=body, headers={key: str(value) for key, value in headers.items()})


def call_flow(
    place: str, flow: str, flows: Mapping[str, CompiledFlow], values: Value, name: str | None
) -> StepFunction:
    """``run``: another flow with variables of its own.

    :param flows: filled in when all flows are compiled
    """

    async def run(frame: Frame, scope: Variables) -> None:
        where = frame.prefix + place
        if frame.depth == DEPTH_LIMIT:
            raise BadMapping(
                f"子流程嵌套超过 {DEPTH_LIMIT} 层", f"Flows call each other more than {DEPTH_LIMIT} deep", where=where
            )
        with frame.records.begin(where, f"run {flow}") as record:
            given = record.input = values(scope)
            common: Variables = {key: scope[key] for key in _COMMON if key in scope}
            answer = Answer()
            inner = frame.inner(prefix=f"{where}/", answer=answer, depth=frame.depth + 1, owns_document=False)
            try:
                await flows[flow].run(inner, {**common, "input": given})
            except Stopped as stopped:
                record.note = stopped.reason
            record.output = answer.response.body if answer.response is not None else None
        if name is not None:
            scope[name] = record.output

    return run


def respond(place: str, status: Value, body: Value, headers: Value) -> StepFunction:
    """``respond``: the answer, also of a flow that goes on afterwards; the last one counts."""

    async def run(frame: Frame, scope: Variables) -> None:
        with frame.records.begin(frame.prefix + place, "respond") as record:
            response = answer_of(status(scope), body(scope), headers(scope), frame.prefix + place)
            frame.answer.response = response
            record.output = response.body

    return run


def stop(place: str, reason: Value, *, failed: bool) -> StepFunction:
    """``stop``

    :param failed: the reason is an error
    """

    async def run(frame: Frame, scope: Variables) -> None:
        with frame.records.begin(frame.prefix + place, "stop") as record:
            text = str(reason(scope))
            if failed:
                raise FixData(text, text, where=record.step)
            record.note = text
        raise Stopped(text)

    return run
