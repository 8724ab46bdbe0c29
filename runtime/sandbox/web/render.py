"""How pages are rendered: one template environment, and the words that several pages share."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from runtime.config import DEFAULT_TIMEZONE
from runtime.sandbox import demo

__all__ = ["STATES", "TRANSITIONS", "form_fields", "render"]

#: State of an approval -> (Chinese, English, colour class).
STATES = {
    "RUNNING": ("审批中", "Running", "running"),
    "agree": ("已同意", "Approved", "good"),
    "refuse": ("已拒绝", "Refused", "bad"),
    "TERMINATED": ("已撤回", "Withdrawn", "mute"),
}
TRANSITIONS = {
    "START_PROCESS_INSTANCE": ("发起申请", "Started"),
    "EXECUTE_TASK_NORMAL": ("审批", "Decided"),
    "TERMINATE_PROCESS_INSTANCE": ("撤回", "Withdrawn"),
    "ADD_REMARK": ("评论", "Comment"),
}
_ZONE = ZoneInfo(DEFAULT_TIMEZONE)


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, _ZONE):%Y-%m-%d %H:%M:%S}" if milliseconds else ""


def _person(user: str) -> str:
    return demo.USERS[user].name if user in demo.USERS else user


_TEMPLATES = Jinja2Templates(directory=Path(__file__).parent / "templates")
_TEMPLATES.env.filters["time"] = _time
_TEMPLATES.env.filters["person"] = _person
_TEMPLATES.env.trim_blocks = _TEMPLATES.env.lstrip_blocks = True


def render(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A page; every value is escaped."""
    return _TEMPLATES.TemplateResponse(request, template, context, status_code=status)


async def form_fields(request: Request) -> dict[str, str]:
    """The text fields of a submitted form."""
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}
