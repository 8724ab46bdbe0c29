"""Which connection plays a role in a run: the one that the mapping names, or one chosen among those that it lists."""

from __future__ import annotations

from runtime.errors import BadMapping, MappingFailed
from runtime.mapping.expressions import Scope, compile_value
from runtime.mapping.models import CallStep, DynamicConnection, Mapping, MapTarget, RunStep
from runtime.mapping.parts import parts
from runtime.mapping.values import is_blank, shown, to_text

__all__ = ["choices", "choose_connections", "chosen_here", "fixed_connection", "names_of", "roles_used"]


def names_of(mapping: Mapping, role: str) -> tuple[str, ...]:
    """Every connection that may play a role; the one to design with comes first."""
    found = mapping.connections.get(role)
    if isinstance(found, DynamicConnection):
        return tuple(dict.fromkeys((*filter(None, (found.default,)), *found.among.values())))
    return (found,) if found else ()


def fixed_connection(mapping: Mapping, role: str) -> str:
    """The connection that always plays a role; empty where none does, or where it is chosen in every run."""
    found = mapping.connections.get(role)
    return found if isinstance(found, str) else ""


def choices(mapping: Mapping) -> dict[str, list[str]]:
    """Role → the values by which its connection may be chosen; empty for a role with a fixed connection."""
    return {
        role: list(found.among) if isinstance(found, DynamicConnection) else []
        for role, found in mapping.connections.items()
    }


def choose_connections(mapping: Mapping, flow: str, scope: Scope, *, read_from: str = "") -> dict[str, str]:
    """Role → name of the connection that plays it in this run. Roles that the flow does not use may be missing.

    :param scope: the variables that a choice may depend on: ``settings``, ``request``, ``input``, as far as there are
        such in this run
    :param read_from: of a run that finishes one document: the connection that the document was read from. It is taken
        where the choice allows it and nobody asked for anything
    :raises BadMapping: the mapping gives a role no connection
    :raises MappingFailed: the choice cannot be worked out, or its value is not in the list
    """
    chosen = {role: found for role, found in mapping.connections.items() if isinstance(found, str)}
    if len(chosen) == len(mapping.connections):
        return chosen
    for role in sorted(roles_used(mapping, flow)):
        found = mapping.connections.get(role)
        if isinstance(found, DynamicConnection):
            chosen[role] = _choose(found, scope, read_from, f"{mapping.id} connections.{role}")
    return chosen


def chosen_here(mapping: Mapping, flow: str, scope: Scope) -> tuple[str, ...]:
    """The connections that a run chooses, without those that are fixed, in the order of their roles' names.

    :raises MappingFailed: see :func:`choose_connections`
    """
    chosen = choose_connections(mapping, flow, scope)
    return tuple(name for role, name in sorted(chosen.items()) if not fixed_connection(mapping, role))


def _choose(dynamic: DynamicConnection, scope: Scope, read_from: str, where: str) -> str:
    choice = compile_value(dynamic.choose, where=f"{where}.choose")
    missing = sorted(choice.names - scope.keys())
    if missing:
        # An expression may bear with what is missing; the default must not be taken for an answer to no question.
        if read_from in dynamic.among.values():
            return read_from
        raise MappingFailed(
            f"此次运行没有 {missing[0]}，无法据此选择连接",
            f"This run has no {missing[0]} to choose the connection by",
            where=where,
        )
    value = choice(scope)
    if is_blank(value):
        if dynamic.default:
            return dynamic.default
        raise MappingFailed(
            f"没有说明要用哪个连接（可选：{'、'.join(dynamic.among)}）",
            f"Nothing says which connection to use (there are: {', '.join(dynamic.among)})",
            where=where,
        )
    text = to_text(value).strip()
    if text not in dynamic.among:
        raise MappingFailed(
            f"{shown(text)} 不在可选的连接之内（可选：{'、'.join(dynamic.among)}）",
            f"{shown(text)} is not among the connections to choose from (there are: {', '.join(dynamic.among)})",
            where=where,
        )
    return dynamic.among[text]


def roles_used(mapping: Mapping, flow: str) -> frozenset[str]:
    """The roles that a flow calls, or that a flow does which it runs.

    :raises BadMapping: there is no such flow
    """
    used: set[str] = set()
    seen: set[str] = set()
    waiting = [flow]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in mapping.flows:
            raise BadMapping(f"没有名为 {name} 的流程", f"There is no flow {name}", where=mapping.id)
        for part in parts(mapping.flows[name].steps):
            if isinstance(part, CallStep):
                used.add(part.call.partition(".")[0])
            elif isinstance(part, RunStep):
                waiting.append(part.run)
            elif isinstance(part, MapTarget) and part.connection:
                used.add(part.connection)
    return frozenset(used)
