"""Is a mapping fit to run? All that can be known beforehand: references, names, parameters, controls, cases."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping

from runtime.errors import IntegrationError
from runtime.mapping.cases import check_cases
from runtime.mapping.check_steps import ActionShape, Call, StepCheck, SubFlow
from runtime.mapping.choosing import roles_used
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import DynamicConnection, Flow, Mapping, Trigger
from runtime.mapping.problems import Failure, Problem
from runtime.mapping.schedules import check_schedule
from runtime.mapping.step_names import with_step_names

__all__ = ["ActionShape", "Failure", "Problem", "check_mapping"]

_ALWAYS = frozenset(("settings", "now", "run_id", "choices", "input"))


def check_mapping(
    mapping: Mapping, actions: AnyMapping[str, AnyMapping[str, ActionShape]] | None = None
) -> list[Problem]:
    """Everything wrong with a mapping, in the order of the document; golden cases are carried out.

    :param actions: role → name of an action → its shape; a role without a known connection is left out.
        None: nothing is known about the connections, so calls are not checked against them
    """
    problems: list[Problem] = []
    calls: list[Call] = []
    runs: list[SubFlow] = []
    for name, flow in mapping.flows.items():
        place = f"flows.{name}"
        problems += _check_trigger(mapping, flow.trigger, f"{place}.trigger")
        steps = StepCheck(mapping, actions, name)
        steps.check(flow.steps, _ALWAYS | _variables(flow.trigger), f"{place}.steps", keyed=_is_keyed(flow.trigger))
        problems += steps.problems
        calls += steps.calls
        runs += steps.runs
    problems += _cycles(runs)
    problems += _dynamic_connections(mapping, runs)
    problems += _unkeyed_creates(mapping, calls, runs)
    problems += _shared_triggers(mapping)
    # Cases run the mapping: a mapping that is wrong would only repeat its errors.
    if not any(problem.level == "error" for problem in problems):
        problems += check_cases(mapping)
    return with_step_names(mapping, problems)


def _variables(trigger: Trigger) -> frozenset[str]:
    if trigger.event is not None:
        return frozenset(("event",))
    if trigger.http is not None:
        return frozenset(("request", "event") if trigger.http.event is not None else ("request",))
    return frozenset()


def _is_keyed(trigger: Trigger) -> bool:
    """Whether the trigger itself tells one document from another."""
    return trigger.event is not None or trigger.http is not None


def _check_trigger(mapping: Mapping, trigger: Trigger, where: str) -> Iterator[Problem]:
    if trigger.schedule is not None:
        yield from check_schedule(trigger.schedule, mapping.timezone, f"{where}.schedule")
    steps = StepCheck(mapping, None, "")
    if trigger.event is not None:
        steps.role(trigger.event.connection, f"{where}.event.connection")
        steps.value(trigger.event.form, frozenset(("settings",)), f"{where}.event.form")
    if trigger.http is not None:
        steps.value(trigger.http.key, frozenset(("settings", "request")), f"{where}.http.key")
        if trigger.http.on_error is not None:
            known = frozenset(("settings", "request", "error"))
            steps.value(trigger.http.on_error.model_dump(), known, f"{where}.http.on_error")
        if trigger.http.event is not None:
            steps.role(trigger.http.event.connection, f"{where}.http.event.connection")
            values = trigger.http.event.model_dump(exclude={"connection", "type"})
            steps.value(values, frozenset(("settings", "request")), f"{where}.http.event")
        if trigger.http.on_stored is not None:
            values = trigger.http.on_stored.model_dump()
            steps.value(values, frozenset(("settings", "request")), f"{where}.http.on_stored")
        steps.value(trigger.http.sample, frozenset(("settings",)), f"{where}.http.sample")
    yield from steps.problems


def _dynamic_connections(mapping: Mapping, runs: list[SubFlow]) -> Iterator[Problem]:
    """A choice that cannot be worked out when the flow begins, or that decides whose events are meant."""
    dynamic = {role: found for role, found in mapping.connections.items() if isinstance(found, DynamicConnection)}
    for role, found in dynamic.items():
        # Its expression alone: settings that do not exist, text that does not compile.
        steps = StepCheck(mapping, None, "")
        steps.value(found.choose, frozenset(("settings", "request", "input")), f"connections.{role}.choose")
        yield from steps.problems
    run_by_others = {run.target for run in runs}
    for name, flow in mapping.flows.items():
        event = flow.trigger.event
        if event is not None and event.connection in dynamic:
            yield Problem(
                "error",
                f"flows.{name}.trigger.event.connection",
                f"事件来自哪个连接必须固定，而“{event.connection}”在运行时选择",
                f"Events must come from one fixed connection, but {event.connection!r} is chosen at run time",
            )
        if flow.trigger.manual is not None and name in run_by_others:
            continue  # what it is run by decides what the choice may depend on
        known = frozenset(("settings", *_choosable(flow.trigger)))
        for role in sorted(_roles(mapping, name) & dynamic.keys()):
            try:
                names = compile_value(dynamic[role].choose).names
            except IntegrationError:
                continue  # reported above
            for unknown in sorted(names - known):
                yield Problem(
                    "error",
                    f"connections.{role}.choose",
                    f"流程 {name} 开始时还没有“{unknown}”，无法据此选择连接",
                    f"When flow {name} begins there is no {unknown!r} to choose the connection by",
                )


def _choosable(trigger: Trigger) -> tuple[str, ...]:
    """What a choice may depend on besides the settings."""
    if trigger.http is not None:
        return ("request", "input")
    return ("input",) if trigger.manual is not None else ()


def _roles(mapping: Mapping, flow: str) -> frozenset[str]:
    try:
        return roles_used(mapping, flow)
    except IntegrationError:
        return frozenset()  # a flow that does not exist is reported where it is run


def _cycles(runs: list[SubFlow]) -> Iterator[Problem]:
    below: dict[str, set[str]] = {}
    for run in runs:
        below.setdefault(run.flow, set()).add(run.target)
    for run in runs:
        reached, waiting = set(), [run.target]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += below.get(name, ())
        if run.flow in reached:
            yield Problem(
                "error",
                run.where,
                f"流程 {run.flow} 经由 {run.target} 又调用了自己",
                f"Flow {run.flow} calls itself again by way of {run.target}",
            )


def _unkeyed_creates(mapping: Mapping, calls: list[Call], runs: list[SubFlow]) -> Iterator[Problem]:
    keyed = {name for name, flow in mapping.flows.items() if _is_keyed(flow.trigger)}
    # A sub-flow knows its document when everybody who runs it does; flows are few, so repeat until nothing changes.
    for _ in mapping.flows:
        for name, flow in mapping.flows.items():
            callers = [run for run in runs if run.target == name]
            if callers and flow.trigger.manual and all(run.keyed or run.flow in keyed for run in callers):
                keyed.add(name)
    for call in calls:
        if call.effect == "create" and not call.keyed and call.flow not in keyed:
            yield Problem(
                "warning",
                call.where,
                "新建类动作不在带 key 的 each 里：中断后无法判断是否已经创建过",
                "This creates something outside an each with a key: after an interruption nobody knows whether it did",
            )


def _shared_triggers(mapping: Mapping) -> Iterator[Problem]:
    events: dict[tuple[str, str, str], str] = {}
    addresses: dict[tuple[str, str], str] = {}
    for name, flow in mapping.flows.items():
        where = f"flows.{name}.trigger"
        event, http = flow.trigger.event, flow.trigger.http
        if event is not None:
            first = events.setdefault((event.connection, event.type, _form(mapping, flow)), name)
            if first != name:
                yield Problem(
                    "error",
                    f"{where}.event",
                    f"流程 {first} 已经在等同一个事件",
                    f"Flow {first} waits for the same event already",
                )
        for method in http.methods if http is not None else ():
            path = mapping.http_path(name)
            first = addresses.setdefault((path, method), name)
            if first != name:
                yield Problem(
                    "error",
                    f"{where}.http",
                    f"流程 {first} 已经占用 {method} {path}",
                    f"Flow {first} answers {method} {path} already",
                )


def _form(mapping: Mapping, flow: Flow) -> str:
    form = flow.trigger.event.form if flow.trigger.event else None
    try:
        return str(compile_value(form)({"settings": mapping.settings}))
    except IntegrationError:
        # Reported where the trigger itself is checked.
        return str(form)
