"""The DI gateway: SQL over HTTP beside the Service Layer, with a login and sessions of its own.

Known from integrators only; nothing is published about its errors, so their HTTP status is a switch, and so is the
form of dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runtime.jsontext import dumps

from .faults import ServiceFault
from .service import ServiceLayer
from .sessions import Session, Sessions
from .sql.hana import SqlRefused
from .wire import Call, Reply, json_body

__all__ = ["COOKIE", "Gateway"]

#: The cookie of its sessions.
COOKIE: Final = "B1DISESSION"
_MIDNIGHT: Final = " 00:00:00.000000000"
_DONE: Final = "RIS.10000000"
_BAD_REQUEST: Final = "RIS.20000400"
_NO_SESSION: Final = "RIS.20000301"
_LOGIN_FAILED: Final = "RIS.20000304"
_SQL_FAILED: Final = "RIS.20000500"
_NO_SUCH_CALL: Final = "RIS.20000404"


class Gateway:
    """``…/b1dis/v1/Login``, ``Logout`` and ``exec-sql`` for all companies.

    :param services: the companies by name
    :param sessions: its own sessions
    """

    def __init__(self, services: Mapping[str, ServiceLayer], sessions: Sessions) -> None:
        self._services = services
        self.sessions = sessions
        #: HTTP status of a refused statement: 400, or 200 with the code telling.
        self.error_status = 400
        #: Dates as ``2026-11-23 00:00:00.000000000``, HANA's timestamps, instead of ``2026-11-23``.
        self.long_dates = False

    @property
    def lag_s(self) -> float:
        """Seconds that the rows of any statement may be behind what the Service Layer holds: a replica is read."""
        return max(service.sql.mirror.lag for service in self._services.values())

    @lag_s.setter
    def lag_s(self, seconds: float) -> None:
        for service in self._services.values():
            service.sql.mirror.lag = seconds

    def answer(self, call: Call) -> Reply:
        """Carry out a call."""
        name = call.path.strip("/")
        if call.method != "POST" or name not in {"Login", "Logout", "exec-sql"}:
            return _refusal(404, _NO_SUCH_CALL, f"{call.method} {name}: no such call")
        try:
            if name == "Login":
                return self._login(call)
            session = self.sessions.use(call.headers)
            if name == "Logout":
                self.sessions.close(session)
                return Reply(status=204)
            return self._execute(call, session)
        except ServiceFault as fault:
            return _refusal(fault.status, _NO_SESSION if fault.status == 401 else _BAD_REQUEST, fault.text)

    def _login(self, call: Call) -> Reply:
        body = json_body(call)
        service = self._services.get(str(body.get("CompanyDB"))) or next(iter(self._services.values()))
        try:
            user = service.authenticate(body)
        except ServiceFault as fault:
            return _refusal(fault.status, _LOGIN_FAILED, fault.text)
        session = self.sessions.open(service.name, user, "en-us", call.headers)
        data = {"SessionId": session.id, "SessionTimeout": int(self.sessions.minutes)}
        return _reply(200, _DONE, "OK", data, (("Set-Cookie", f"{COOKIE}={session.id}; path=/; HttpOnly"),))

    def _execute(self, call: Call, session: Session) -> Reply:
        statement = json_body(call).get("Sql")
        if not isinstance(statement, str):
            return _refusal(self.error_status, _BAD_REQUEST, "Sql: a statement is missing")
        try:
            answer = self._services[session.company].sql.run(statement)
        except SqlRefused as refused:
            return _refusal(self.error_status, _SQL_FAILED, str(refused))
        for row in answer.rows if self.long_dates else []:
            row.update({key: f"{row[key]}{_MIDNIGHT}" for key in answer.dates if row[key] is not None})
        return _reply(200, _DONE, "OK", {"value": answer.rows})


def _refusal(status: int, code: str, text: str) -> Reply:
    return _reply(status, code, text, None)


def _reply(
    status: int, code: str, text: str, data: dict[str, Any] | None, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    content: dict[str, Any] = {"code": code, "message": text} | ({} if data is None else {"data": data})
    return Reply(status=status, body=dumps(content), media_type="application/json;charset=utf-8", headers=headers)
