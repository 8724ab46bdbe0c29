"""Sessions behind a load balancer: a session lives on the node that made it, until it has been idle too long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from uuid import uuid1

from .faults import dead_session

__all__ = ["Session", "Sessions"]


@dataclass
class Session:
    """One login."""

    id: str
    node: str
    #: The company's data base, chosen at login.
    company: str
    #: ``Users.InternalKey``.
    user: int
    #: Language of the error texts: ``en-us`` or ``zh-cn``.
    language: str
    last_used: datetime


class Sessions:
    """All live sessions; a restart of the simulator ends them, as a restart of the Service Layer does.

    :param clock: the time, timezone-aware
    :param minutes: idle minutes after which a session is dead; every use starts them anew
    :param nodes: nodes behind the load balancer; a request without its ``ROUTEID`` reaches them in turn
    :param cookie: the cookie that names a session
    """

    def __init__(self, clock: Callable[[], datetime], minutes: float, nodes: int, cookie: str = "B1SESSION") -> None:
        self.minutes = minutes
        self._cookie = cookie
        self._clock = clock
        self._live: dict[str, Session] = {}
        self._names = [f".node{number}" for number in range(1, nodes + 1)]
        self._turn = cycle(self._names)

    def open(self, company: str, user: int, language: str, headers: Mapping[str, str]) -> Session:
        """A new session on the node that this request reaches."""
        session = Session(str(uuid1()), self._node(_cookies(headers)), company, user, language, self._clock())
        self._live[session.id] = session
        return session

    def use(self, headers: Mapping[str, str]) -> Session:
        """The session named by the cookie (or the ``SessionId`` header), its idle time restarted.

        :raises ServiceFault: 401/301, none is alive under this name on the node that the request reaches
        """
        cookies = _cookies(headers)
        name = self._name(headers)
        session = self._live.get(name)
        if session is None or session.node != self._node(cookies):
            raise dead_session()
        now = self._clock()
        if now - session.last_used > timedelta(minutes=self.minutes):
            del self._live[name]
            raise dead_session()
        session.last_used = now
        return session

    def company(self, headers: Mapping[str, str]) -> str | None:
        """The company of the session that a request names, without touching the session."""
        session = self._live.get(self._name(headers))
        return None if session is None else session.company

    def close(self, session: Session) -> None:
        """Log out."""
        self._live.pop(session.id, None)

    def expire_all(self) -> None:
        """End every session at once."""
        self._live.clear()

    def _name(self, headers: Mapping[str, str]) -> str:
        return _cookies(headers).get(self._cookie) or headers.get("sessionid", "")

    def _node(self, cookies: Mapping[str, str]) -> str:
        node = cookies.get("ROUTEID")
        return node if node in self._names else next(self._turn)


def _cookies(headers: Mapping[str, str]) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}
