"""``call``: an action of a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from pydantic import ValidationError

from runtime.connectors.actions import Action, ActionParams, Effect
from runtime.engine.context import Call, Frame, Interrupted, Origin, Rows, Stream, Variables
from runtime.errors import BadMapping, MappingFailed
from runtime.mapping.expressions import Scope

__all__ = ["CallStep"]

#: A read that is not gone through by one ``each`` is held in memory; more rows than this are refused.
COLLECT_LIMIT = 10_000
_NOT_MADE = "运行停止，此调用没有发出 | the run was stopped before this call was made"


class CallStep:
    """A compiled ``call`` step.

    :param streams: whether its rows are used only once, as the source of an ``each`` that follows
    """

    def __init__(
        self, *, place: str, call: str, values: Callable[[Scope], dict[str, Any]], name: str | None, streams: bool
    ) -> None:
        self._place = place
        self._call = call
        self._role, _, self._action = call.partition(".")
        self._values = values
        self._name = name
        self._streams = streams

    async def __call__(self, frame: Frame, scope: Variables) -> None:
        run = frame.run
        step = frame.prefix + self._place
        with frame.records.begin(step, self._call) as record:
            connector = await run.connector(self._role)
            record.connection = connector.name
            action = connector.actions.get(self._action)
            if action is None:
                raise BadMapping(
                    f"连接 {connector.name} 没有动作 {self._action}",
                    f"The connection {connector.name} has no action {self._action}",
                    where=step,
                )
            values = record.input = self._values(scope)
            params = _validate(action, values, step)
            call = Call(
                step=step,
                connector=connector,
                action=action,
                values=values,
                params=params,
                record=record,
                turn=frame.turn,
            )
            try:
                result = await self._make(frame, call)
            except Interrupted:
                record.note = _NOT_MADE
                raise
            if isinstance(result, Stream):
                record.note = "stream"
            else:
                record.output = result
        if self._name is not None:
            scope[self._name] = result

    async def _make(self, frame: Frame, call: Call) -> Any:
        if call.action.effect is not Effect.READ:
            return await frame.run.performer.change(frame, call)
        async with call.turn:
            result = await frame.run.performer.read(frame, call)
            return await self._rows(call, result) if call.action.streams else result

    async def _rows(self, call: Call, result: AsyncIterator[dict[str, Any]]) -> Stream | Rows:
        connector = call.connector
        source = "/".join(part for part in (connector.name, call.params.source) if part)
        source += f"#{connector.identity}" if connector.identity else ""
        origin = Origin(call.action, call.params, source)
        return Stream(result, origin) if self._streams else Rows(await _collect(result, call.step), origin)


async def _collect(rows: AsyncIterator[dict[str, Any]], step: str) -> list[dict[str, Any]]:
    collected: list[dict[str, Any]] = []
    async for row in rows:
        if len(collected) == COLLECT_LIMIT:
            raise MappingFailed(
                f"结果超过 {COLLECT_LIMIT} 行；请缩小筛选，或让它只作为一个 each 的来源（逐行处理，不占内存）",
                f"More than {COLLECT_LIMIT} rows; narrow the filter, or use the result only as the source of one each",
                where=step,
            )
        collected.append(row)
    return collected


def _validate(action: Action, values: dict[str, Any], step: str) -> ActionParams:
    """The action's params.

    :raises BadMapping: a parameter is missing or misspelt, for every document alike
    :raises MappingFailed: a value does not fit, for this document
    """
    try:
        return action.params.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        first = problems[0]
        parameter = ".".join(str(part) for part in first["loc"])
        where = f"{step} ({action.name}.{parameter})"
        if any(one["type"] in {"missing", "extra_forbidden"} for one in problems):
            names = ", ".join(
                ".".join(str(part) for part in one["loc"])
                for one in problems
                if one["type"] in {"missing", "extra_forbidden"}
            )
            raise BadMapping(
                f"动作 {action.name} 缺少参数或参数名写错：{names}",
                f"The action {action.name} misses a parameter, or one is misspelt: {names}",
                where=where,
            ) from error
        raise MappingFailed(
            f"参数 {parameter} 的值不合适：{first['msg']}",
            f"The value of parameter {parameter} does not fit: {first['msg']}",
            where=where,
        ) from error
