"""What every connector is: settings, a test, actions with a declared effect, forms, a callback.

A connector package holds the same files whatever system it speaks to::

    settings.py    the settings model (secret fields are ``SecretStr``)
    client.py      the line to the other system: login, errors, limits
    actions.py     parameter models of the actions
    forms.py       the vendor's forms and controls, and how their values are encoded
    callback.py    verify, decrypt, normalise, answer
    stream.py      the same events over a connection that we open ourselves
    connector.py   the class that ties them together

A file is left out only where the system has nothing of the kind (B1 has no callback). What the kinds share that read
by SQL, the parameters of their actions too, stands in :mod:`runtime.connectors.statements`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from runtime.connectors.actions import Action
from runtime.connectors.catalog import Catalog
from runtime.connectors.event_stream import EventStream
from runtime.connectors.events import CallbackRequest, Event, Received
from runtime.connectors.settings import ConnectorSettings
from runtime.mapping.forms import Form

__all__ = ["Connector", "TestReport"]


@dataclass(frozen=True, kw_only=True)
class TestReport:
    """The verdict of "test connection", in plain words; one line per thing that was established."""

    __test__: ClassVar[bool] = False

    #: (Chinese, English) lines, e.g. ("登录成功，版本 1000280", "logged in, version 1000280").
    lines: Sequence[tuple[str, str]]


S = TypeVar("S", bound=ConnectorSettings)


class Connector(ABC, Generic[S]):
    """A live connection to one outside system. Create it inside a running event loop, close it with :meth:`aclose`."""

    #: e.g. ``b1.service_layer``
    kind: ClassVar[str]
    title_zh: ClassVar[str]
    title_en: ClassVar[str]
    settings_model: ClassVar[type[ConnectorSettings]]

    def __init__(self, name: str, settings: S) -> None:
        self.name = name
        self.settings = settings
        self.actions: Mapping[str, Action] = {action.name: action for action in self.define_actions()}

    @abstractmethod
    def define_actions(self) -> Sequence[Action]:
        """The actions, each bound to this connection."""

    @abstractmethod
    async def test(self) -> TestReport:
        """Prove that address, TLS, credentials and rights work; raises the error that says what does not."""

    @abstractmethod
    async def aclose(self) -> None:
        """Log out where the system wants it, and close the connections."""

    @property
    def identity(self) -> str:
        """Whose documents these are, whatever the server's address: the company's data base, the application.

        A connection that is pointed at another one has other documents, even if their keys are the same.
        """
        return ""

    @property
    def dialect(self) -> str:
        """Name of the SQL that statements of its ``query`` are written in; empty if it takes none."""
        return ""

    def catalog(self) -> Catalog | None:
        """What can be read, or None."""
        return None

    async def fetch_form(self, code: str) -> Form:
        """The real form's controls.

        :raises NotImplementedError: this system has no forms (see :attr:`has_forms`)
        :raises FormGone: there is no such form (any more)
        """
        raise NotImplementedError

    #: Whether it speaks HTTP: its settings are :class:`HttpSettings` then.
    over_http: ClassVar[bool] = True

    #: Whether :meth:`fetch_form` works.
    has_forms: ClassVar[bool] = False

    def receive(self, request: CallbackRequest) -> Received:
        """Verify, decrypt and normalise a callback; no network, no waiting.

        :raises NotImplementedError: this system sends no callbacks (see :attr:`has_callback`)
        :raises CallbackRejected: forged, truncated or not for this connection
        """
        raise NotImplementedError

    #: Whether :meth:`receive` works.
    has_callback: ClassVar[bool] = False

    def event_stream(self) -> EventStream | None:
        """Where events come from, or None if these settings do not ask for a stream."""
        return None

    #: Whether :meth:`event_stream` may return one: then a setting ``event_mode`` (``http`` or ``stream``) chooses.
    has_stream: ClassVar[bool] = False

    async def poll_event(self, instance_id: str, form: str) -> Event | None:
        """How an approval ended, as the ``approval.finished`` event that its callback would have reported; None while
        it is open.

        The key of the event is the same at every call and never that of a callback.

        :param form: what the approval was made from, for systems that do not say so themselves
        :raises NotImplementedError: this system cannot be asked (see :attr:`has_polling`)
        :raises NotFound: there is no such approval (any more)
        """
        raise NotImplementedError

    #: Whether :meth:`poll_event` works.
    has_polling: ClassVar[bool] = False

    @property
    def tells_outcomes(self) -> bool:
        """Whether :meth:`poll_event` works and these settings let it tell how an approval ended."""
        return self.has_polling

    async def register(self) -> Mapping[str, str]:
        """Make this product known to the other system, once; a person asks for it, nothing ever does so by itself.

        :returns: settings that the other system gave, to be stored with the connection; what it gave before is void
        :raises NotImplementedError: this system knows no such thing (see :attr:`has_registration`)
        """
        raise NotImplementedError

    #: Whether :meth:`register` works.
    has_registration: ClassVar[bool] = False

    @property
    def is_registered(self) -> bool:
        """Whether the settings hold what registering gives."""
        return False
