"""The approver's inbox: the list, one approval with its form, timeline and push log, and the buttons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime.sandbox import demo
from runtime.sandbox.dingtalk.errors import DingTalkError
from runtime.sandbox.dingtalk.instances import Instance
from runtime.sandbox.dingtalk.values import FormValue
from runtime.sandbox.web.render import STATES, TRANSITIONS, form_fields, render
from runtime.sandbox.world import World

__all__ = ["inbox_routes"]

_PAGE = 50
#: Components whose values read well in the list.
_SUMMARISED = ("TextField", "TextareaField", "NumberField", "MoneyField", "DDSelectField", "DDDateField")


@dataclass(frozen=True)
class Field:
    """One control as the approver reads it: a text, or a table's columns and rows."""

    label: str
    text: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    is_table: bool = False


def inbox_routes(world: World) -> list[Route]:
    """``/inbox`` and what is below it."""
    inbox = _Inbox(world)
    return [
        Route("/inbox", inbox.list_page, methods=["GET"]),
        Route("/inbox/{id}", inbox.approval_page, methods=["GET"]),
        Route("/inbox/{id}", inbox.act, methods=["POST"]),
    ]


class _Inbox:
    def __init__(self, world: World) -> None:
        self._world = world
        self._instances = world.dingtalk.instances

    async def list_page(self, request: Request) -> Response:
        state = request.query_params.get("state", "")
        page = int(number) if (number := request.query_params.get("page", "1")).isdecimal() else 1
        counts = Counter(_state(instance) for instance in self._instances.newest_first())
        shown = (item for item in self._instances.newest_first() if state in ("", _state(item)))
        first = (max(page, 1) - 1) * _PAGE
        total = counts[state] if state else len(self._instances)
        return render(
            request,
            "inbox.html",
            approvals=[(item, STATES[_state(item)]) for item in islice(shown, first, first + _PAGE)],
            states=STATES,
            summarised=_SUMMARISED,
            state=state,
            counts=counts,
            total=total,
            page=max(page, 1),
            pages=max(1, -(-total // _PAGE)),
        )

    async def approval_page(self, request: Request) -> Response:
        return self._approval(request)

    async def act(self, request: Request) -> Response:
        """A button was pressed: approve, refuse or withdraw."""
        instance = self._instances.find(request.path_params["id"])
        if instance is None:
            return _missing(request)
        form = await form_fields(request)
        action, remark = form.get("action"), form.get("remark", "").strip()[:1024]
        try:
            if action == "withdraw":
                self._instances.withdraw(instance, instance.originator, remark)
            elif action in ("approve", "refuse"):
                self._instances.decide(instance, form.get("user", ""), agree=action == "approve", remark=remark)
            else:
                return self._approval(request, "没有这个操作 No such action", 400)
        except DingTalkError as error:
            return self._approval(request, error.message, 409)
        return RedirectResponse(f"/inbox/{instance.id}", 303)

    def _approval(self, request: Request, problem: str = "", status: int = 200) -> Response:
        instance = self._instances.find(request.path_params["id"])
        if instance is None:
            return _missing(request)
        form = self._world.dingtalk.forms.get(instance.process_code)
        components = {
            (control.label, child.label): child.component
            for control in (form.controls if form is not None else ())
            for child in control.children
        }
        return render(
            request,
            "approval.html",
            status,
            instance=instance,
            state=STATES[_state(instance)],
            fields=[_field(value, components) for value in instance.values],
            department=demo.DEPARTMENTS.get(instance.department, str(instance.department)),
            transitions=TRANSITIONS,
            results={"AGREE": "同意 Agreed", "REFUSE": "拒绝 Refused"},
            pushes=list(self._world.dingtalk.push.log(instance.id)),
            subscription=self._world.dingtalk.push.subscription,
            problem=problem,
        )


def _missing(request: Request) -> Response:
    return render(request, "missing.html", 404, what=f"审批 approval {request.path_params['id']}")


def _state(instance: Instance) -> str:
    return instance.result if instance.status == "COMPLETED" else instance.status


def _field(value: FormValue, columns: Mapping[tuple[str, str], str]) -> Field:
    """What a control shows.

    :param columns: (table, column) → component
    """
    label = value.name
    if value.component == "DDDateRangeField":
        label = " – ".join(_items(label)) or label
    if value.component == "TableField":
        return _table(label, value.value, columns)
    return Field(label, _text(value.component, value.value))


def _text(component: str, value: str) -> str:  # noqa: PLR0911 - one line per component reads best
    items = _items(value)
    match component:
        case "DDDateRangeField":
            return " 至 ".join(items)
        case "DDMultiSelectField" | "DDPhotoField" | "RelateField":
            return "、".join(items)
        case "InnerContactField":
            return "、".join(demo.USERS[user].name for user in items if user in demo.USERS)
        case "DepartmentField":
            names = {str(number): name for number, name in demo.DEPARTMENTS.items()}
            return "、".join(names.get(number, number) for number in items or [value])
        case "DDAttachment":
            return "、".join(_file(file) for file in _decoded(value) if isinstance(file, dict))
        case "MoneyField":
            return _money(value)
    return value


def _file(file: dict[str, Any]) -> str:
    size = str(file.get("fileSize", ""))
    return f"{file.get('fileName', '')}（{int(size):,} B）" if size.isdecimal() else str(file.get("fileName", ""))


def _money(value: str) -> str:
    """With thousands separators, and with two decimals at least."""
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return value
    exponent = amount.as_tuple().exponent
    return f"{amount:,.{max(2, -exponent)}f}" if isinstance(exponent, int) else value


def _table(label: str, value: str, components: Mapping[tuple[str, str], str]) -> Field:
    given: list[dict[str, str]] = [
        {
            str(cell["name"]): _text(components.get((label, str(cell["name"])), ""), str(cell["value"]))
            for cell in row
            if isinstance(cell, dict)
        }
        for row in _decoded(value)
    ]
    columns = list(dict.fromkeys(name for row in given for name in row))
    return Field(label, columns=columns, rows=[[row.get(name, "") for name in columns] for row in given], is_table=True)


def _items(value: str) -> list[str]:
    return [str(item) for item in _decoded(value)]


def _decoded(value: str) -> list[Any]:
    try:
        items = msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return []
    return items if isinstance(items, list) else []
