"""The steps of one flow: every name, expression, setting, role, action, parameter and control that they mention."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from typing import Any, Final

from runtime.errors import IntegrationError
from runtime.mapping.choosing import names_of
from runtime.mapping.controls import resolve_controls, unmapped_controls
from runtime.mapping.expressions import compile_value
from runtime.mapping.mapper import compile_field
from runtime.mapping.models import (
    CallStep,
    EachStep,
    FieldLink,
    IfStep,
    Mapping,
    MapSpec,
    MapStep,
    RespondStep,
    RunStep,
    SetStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    WhileStep,
)
from runtime.mapping.paths import parse_path
from runtime.mapping.problems import Problem

__all__ = ["ActionShape", "Call", "StepCheck", "SubFlow"]

#: Names with a meaning of their own, and the words of the expression language.
_RESERVED: Final = (
    *("settings", "now", "run_id", "choices", "event", "request", "input", "row", "row_number", "error"),
    *("range", "dict"),
    *("and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"),
)

Names = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class ActionShape:
    """What a mapping has to know of an action of a connection."""

    parameters: frozenset[str]
    required: frozenset[str]
    #: ``read``, ``update`` or ``create``.
    effect: str
    #: Judges the values themselves. It gets them with settings filled in; what needs a run still holds its ``{{ … }}``.
    examine: Callable[[AnyMapping[str, Any]], Sequence[Problem]] | None = None


@dataclass(frozen=True)
class Call:
    """A call that was found, with its effect and whether its document is known by a key."""

    flow: str
    where: str
    effect: str
    keyed: bool


@dataclass(frozen=True)
class SubFlow:
    """A flow that runs another one."""

    flow: str
    target: str
    where: str
    keyed: bool


class StepCheck:
    """Walks through the steps of one flow and collects what it finds."""

    def __init__(
        self, mapping: Mapping, actions: AnyMapping[str, AnyMapping[str, ActionShape]] | None, flow: str
    ) -> None:
        self._mapping = mapping
        self._actions = actions
        self._flow = flow
        self.problems: list[Problem] = []
        self.calls: list[Call] = []
        self.runs: list[SubFlow] = []

    def check(self, steps: Sequence[Step], names: Names, where: str, *, keyed: bool) -> Names:
        """Check steps that see ``names``; returns the names known behind them."""
        for index, step in enumerate(steps):
            place = f"{where}[{index}]"
            names = self._step(step, names, place, keyed)
            if step.id is not None:
                names = self._define(step.id, names, f"{place}.id")
        return names

    def role(self, role: str, where: str) -> None:
        """Check that a connection role is declared."""
        if role not in self._mapping.connections:
            self._error(
                where,
                f"connections 里没有“{role}”{_nearest_zh(role, self._mapping.connections)}",
                f"connections does not have {role!r}{_nearest_en(role, self._mapping.connections)}",
            )

    def value(self, value: Any, names: Names, where: str) -> None:
        """Check every expression in a JSON value: it compiles, and all names and settings in it are known."""
        try:
            compiled = compile_value(value, where=where)
        except IntegrationError as error:
            self._error(error.where or where, error.zh, error.en)
            return
        for expression in compiled.expressions:
            for name in sorted(expression.names - names):
                self._error(
                    expression.where,
                    f"表达式 {expression.source} 里的“{name}”在这里还不存在{_nearest_zh(name, names)}",
                    f"The expression {expression.source} uses {name!r}, which is not known here"
                    f"{_nearest_en(name, names)}",
                )
            settings = {path[1] for path in expression.references if path[0] == "settings" and len(path) > 1}
            for name in sorted(settings - self._mapping.settings.keys()):
                self._error(
                    expression.where,
                    f"settings 里没有“{name}”{_nearest_zh(name, self._mapping.settings)}",
                    f"settings does not have {name!r}{_nearest_en(name, self._mapping.settings)}",
                )

    def _expression(self, text: str, names: Names, where: str) -> None:
        self.value(text if "{{" in text else f"{{{{ {text} }}}}", names, where)

    def _step(self, step: Step, names: Names, where: str, keyed: bool) -> Names:
        match step:
            case CallStep():
                self._call(step, names, where, keyed)
            case MapStep():
                self._map(step.map, names, f"{where}.map")
            case EachStep():
                self._each(step, names, where, keyed)
            case IfStep():
                self._expression(step.if_, names, f"{where}.if")
                return self._branches({"then": step.then, "else": step.else_}, names, where, keyed)
            case SwitchStep():
                self._expression(step.switch, names, f"{where}.switch")
                for index, case in enumerate(step.cases):
                    self.value(case.when, names, f"{where}.cases[{index}].when")
                branches = {f"cases[{index}].steps": case.steps for index, case in enumerate(step.cases)}
                return self._branches({**branches, "default": step.default}, names, where, keyed)
            case WhileStep():
                # Looked at before the first round too, so it cannot use what only a round leaves behind.
                self._expression(step.while_, names, f"{where}.while")
                return self.check(step.steps, names, f"{where}.steps", keyed=keyed)
            case TryStep():
                tried = self.check(step.try_, names, f"{where}.try", keyed=keyed)
                return self.check(step.catch, tried | {"error"}, f"{where}.catch", keyed=keyed) - {"error"}
            case SetStep():
                return self._set(step, names, where)
            case RunStep():
                self._run(step, names, where, keyed)
            case RespondStep():
                self.value(step.respond.model_dump(), names, f"{where}.respond")
            case StopStep():
                self.value(step.stop, names, f"{where}.stop")
        return names

    def _branches(self, branches: AnyMapping[str, Sequence[Step]], names: Names, where: str, keyed: bool) -> Names:
        """Behind branches a name is known if any of them defines it."""
        return names.union(
            *(self.check(steps, names, f"{where}.{name}", keyed=keyed) for name, steps in branches.items())
        )

    def _each(self, step: EachStep, names: Names, where: str, keyed: bool) -> None:
        self._expression(step.each, names, f"{where}.each")
        inner = self._define(step.as_, names, f"{where}.as")
        if step.key is not None:
            self._expression(step.key, inner, f"{where}.key")
        self.check(step.steps, inner, f"{where}.steps", keyed=keyed or step.key is not None)

    def _set(self, step: SetStep, names: Names, where: str) -> Names:
        for name, value in step.set.items():
            self.value(value, names, f"{where}.set.{name}")
            plain = name.removesuffix("+")
            if not plain.isidentifier():
                self._error(
                    f"{where}.set.{name}", f"“{name}”不能作为变量名", f"{name!r} cannot be the name of a variable"
                )
            names = self._define(plain, names - {plain}, f"{where}.set.{name}")
        return names

    def _run(self, step: RunStep, names: Names, where: str, keyed: bool) -> None:
        self.value(step.with_, names, f"{where}.with")
        flows = self._mapping.flows
        if step.run not in flows:
            self._error(
                f"{where}.run",
                f"没有名为“{step.run}”的流程{_nearest_zh(step.run, flows)}",
                f"There is no flow {step.run!r}{_nearest_en(step.run, flows)}",
            )
        self.runs.append(SubFlow(self._flow, step.run, f"{where}.run", keyed))

    def _call(self, step: CallStep, names: Names, where: str, keyed: bool) -> None:
        self.value(step.with_, names, f"{where}.with")
        role, _, action = step.call.partition(".")
        self.role(role, f"{where}.call")
        if self._actions is None or role not in self._mapping.connections:
            return
        offered = self._actions.get(role)
        if offered is None:
            those = names_of(self._mapping, role)
            self._error(
                f"{where}.call",
                f"连接“{'、'.join(those)}”（{role}）还没有建立",
                f"The connection {', '.join(map(repr, those))} ({role}) does not exist yet",
            )
            return
        shape = offered.get(action)
        if shape is None:
            self._error(
                f"{where}.call",
                f"连接 {role} 没有动作“{action}”{_nearest_zh(action, offered)}",
                f"The connection {role} has no action {action!r}{_nearest_en(action, offered)}",
            )
            return
        for name in step.with_:
            if name not in shape.parameters and "{{" not in name:
                self._error(
                    f"{where}.with.{name}",
                    f"{step.call} 没有参数“{name}”{_nearest_zh(name, shape.parameters)}",
                    f"{step.call} has no parameter {name!r}{_nearest_en(name, shape.parameters)}",
                )
        for name in sorted(shape.required - step.with_.keys()):
            self._error(f"{where}.with", f"{step.call} 缺少参数“{name}”", f"{step.call} needs the parameter {name!r}")
        if shape.examine is not None:
            for problem in shape.examine(self._known(step.with_)):
                self.problems.append(replace(problem, where=f"{where}.with.{problem.where}"))
        self.calls.append(Call(self._flow, where, shape.effect, keyed))

    def _known(self, value: Any) -> Any:
        """A JSON value with every text filled in that needs nothing but settings."""
        if isinstance(value, dict):
            return {name: self._known(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._known(item) for item in value]
        try:
            compiled = compile_value(value)
            return compiled({"settings": self._mapping.settings}) if compiled.names <= {"settings"} else value
        except IntegrationError:  # reported where the value itself is checked
            return value

    def _map(self, spec: MapSpec, names: Names, where: str) -> None:
        self._expression(spec.from_, names, f"{where}.from")
        if spec.to.connection is not None:
            self.role(spec.to.connection, f"{where}.to.connection")
        self.value(spec.to.form, names, f"{where}.to.form")
        if not spec.fields and not spec.tables:
            self.problems.append(Problem("warning", where, "还没有映射任何字段", "No field is mapped yet"))
        self.problems += resolve_controls(spec, where)[1]
        self.problems += unmapped_controls(spec, where)
        self._fields(spec.fields, names, where)
        for index, table in enumerate(spec.tables):
            place = f"{where}.tables[{index}]"
            try:
                parse_path(table.from_, f"{place}.from")
            except IntegrationError as error:
                self._error(error.where, error.zh, error.en)
            self._fields(table.fields, names | {"row", "row_number"}, place)

    def _fields(self, links: Sequence[FieldLink], names: Names, where: str) -> None:
        for index, link in enumerate(links):
            place = f"{where}.fields[{index}]"
            try:
                compile_field(link, self._mapping.timezone, place)
            except IntegrationError as error:
                self._error(error.where or place, error.zh, error.en)
                continue
            self.value(link.value, names, f"{place}.value")

    def _define(self, name: str, names: Names, where: str) -> Names:
        if name in _RESERVED or name.startswith("_"):
            self._error(where, f"“{name}”是保留名称，请换一个", f"{name!r} is a reserved name: choose another")
        elif name in names:
            self._error(
                where, f"名称“{name}”在这里已经有了，请换一个", f"The name {name!r} is taken here: choose another"
            )
        return names | {name}

    def _error(self, where: str, zh: str, en: str) -> None:
        self.problems.append(Problem("error", where, zh, en))


def _nearest(name: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(name, list(known), 1, 0.5)), "")


def _nearest_zh(name: str, known: Iterable[str]) -> str:
    near = _nearest(name, known)
    return f"；是否想写“{near}”？" if near else ""


def _nearest_en(name: str, known: Iterable[str]) -> str:
    near = _nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""
