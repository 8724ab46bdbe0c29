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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from runtime.mapping.forms import Form
from runtime.mapping.problems import Problem

if TYPE_CHECKING:
    from runtime.connectors.event_stream import EventStream

__all__ = [
    "Action",
    "ActionParams",
    "Address",
    "CallbackReply",
    "CallbackRequest",
    "Catalog",
    "Connector",
    "ConnectorSettings",
    "Effect",
    "Entity",
    "Event",
    "Finding",
    "HttpSettings",
    "Intent",
    "Outcome",
    "Received",
    "Reconciliation",
    "SourceField",
    "TestReport",
    "WireRequest",
]


class Effect(StrEnum):
    """What calling an action may change in the other system."""

    READ = "read"
    #: Changes something, and is safe to repeat.
    UPDATE = "update"
    #: Makes something new at every call: not safe to repeat.
    CREATE = "create"


class Outcome(StrEnum):
    """How an approval ended."""

    AGREED = "agreed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


def _address(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(
            "an address starts with http:// or https:// and a host name | 地址应以 http:// 或 https:// 开头，并写明主机"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "an address holds neither user and password nor a query | 地址里不能有用户、密码和问号后的参数"
        )
    return text.strip().rstrip("/")


#: An absolute http(s) address without a final slash; credentials in it would end up in logs, so they are refused.
Address = Annotated[str, AfterValidator(_address)]


class ConnectorSettings(BaseModel):
    """Settings that every connector has; each adds its own. Secret fields are typed ``SecretStr``.

    The studio's form and the checks of the command line are generated from the model: every field carries ``title``
    (Chinese) and ``description`` (English) in its :func:`~pydantic.Field`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout: float = Field(30.0, gt=0, le=600, title="超时（秒）", description="Seconds to wait for one answer")


class HttpSettings(ConnectorSettings):
    """Settings that every HTTP connector has."""

    base_url: Address = Field(title="服务地址", description="Address that stands before the documented path")
    verify_tls: bool = Field(True, title="校验证书", description="Verify the server's TLS certificate")
    ca_file: str = Field("", title="自有 CA 证书文件", description="PEM file of a private certificate authority")
    rate: float = Field(20.0, gt=0, title="每秒请求上限", description="Requests per second, at most")
    retries: int = Field(4, ge=0, le=10, title="重试次数", description="Repeats of a call after a transient fault")


class ActionParams(BaseModel):
    """Parameters of an action; a misspelt one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @property
    def source(self) -> str:
        """Of what a streamed read yields the rows: it names their documents in the ledger, so it must not change when
        only the selection of fields or rows does."""
        return getattr(self, "entity", None) or ""


@dataclass(frozen=True, kw_only=True)
class WireRequest:
    """Exactly what an effect sends: the preview shows it, the run sends it."""

    method: str
    #: Address without query secrets.
    url: str
    #: The JSON body as Python values (``Decimal`` for fractions), or None.
    body: Any = None
    #: Headers with a meaning for the call; never credentials.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Intent:
    """An earlier attempt at a ``create`` whose answer never arrived."""

    #: UTC; the other system may have acted at any time from here on.
    started_at: datetime
    document_key: str
    #: Ids that are recorded as the result for other documents: what they name is not what this attempt created.
    taken: frozenset[str] = frozenset()


class Finding(StrEnum):
    """What reconciliation established."""

    FOUND = "found"
    #: Provably not there: it may be sent.
    ABSENT = "absent"
    UNCLEAR = "unclear"


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The answer to "did that earlier attempt create something?"."""

    finding: Finding
    #: The action's result as if it had been answered; only with ``FOUND``.
    result: Any = None
    #: Why it is unclear, for the person who decides: Chinese and English.
    reason_zh: str = ""
    reason_en: str = ""


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing a connection can do, named in a mapping as ``role.name``."""

    name: str
    effect: Effect
    params: type[ActionParams]
    zh: str
    en: str
    #: Called with the validated params. A read that yields many rows returns an ``AsyncIterator`` of dicts.
    run: Callable[[Any], Awaitable[Any]]
    #: Builds what ``run`` would send, and sends nothing; required unless the effect is READ.
    prepare: Callable[[Any], Awaitable[WireRequest]] | None = None
    #: Required for CREATE. It looks at once: an attempt of a moment ago may still be under way in the other system, so
    #: the caller lets it settle before ``ABSENT`` counts.
    reconcile: Callable[[Any, Intent], Awaitable[Reconciliation]] | None = None
    #: ``run`` returns an ``AsyncIterator[dict[str, Any]]``.
    streams: bool = False
    #: For a streamed read: called with the same params and a row that it yielded; the row as it is now, or None if it
    #: is gone or no longer what the params ask for. Without it the whole read is repeated to find out.
    reread: Callable[[Any, Mapping[str, Any]], Awaitable[dict[str, Any] | None]] | None = None
    #: For an update: called with its params, it gives the fields that the update writes as the record holds them now,
    #: or None if there is no such record. A source may show it as it was, or in other words: this tells.
    read_back: Callable[[Any], Awaitable[Mapping[str, Any] | None]] | None = None
    #: For previews of an effect whose result goes into what is sent next: called with the params and a placeholder, it
    #: gives a result in which the placeholder stands for what only the other system can tell.
    promise: Callable[[Any, str], Any] | None = None
    #: What is wrong with a mapping's ``with`` beyond names, as far as it is known without a run: it gets the values
    #: with settings filled in; texts that need more still hold their ``{{ … }}``. ``where`` of a problem begins there.
    examine: Callable[[Mapping[str, Any]], Sequence[Problem]] | None = None

    def __post_init__(self) -> None:
        if self.effect is not Effect.READ and self.prepare is None:
            raise TypeError(f"action {self.name}: an effect needs prepare")
        if self.effect is Effect.CREATE and self.reconcile is None:
            raise TypeError(f"action {self.name}: create needs reconcile")


@dataclass(frozen=True, kw_only=True)
class TestReport:
    """The verdict of "test connection", in plain words; one line per thing that was established."""

    __test__: ClassVar[bool] = False

    #: (Chinese, English) lines, e.g. ("登录成功，版本 1000280", "logged in, version 1000280").
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class CallbackRequest:
    """An HTTP request as it came in; query and header names in lower case."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class CallbackReply:
    """What to answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened in the other system, normalised."""

    #: Unique per connection: a redelivery has the same key.
    key: str
    #: ``approval.started``, ``approval.finished`` (agreed, refused or withdrawn), ``approval.deleted``, or a
    #: connector's own type.
    type: str
    instance_id: str = ""
    #: Form (process code, template id, workflow id) that it belongs to.
    form: str = ""
    outcome: Outcome | None = None
    #: The OA's user id of who decided last, if the event says.
    approver: str = ""
    #: UTC, or None where the event does not say.
    finished_at: datetime | None = None
    #: The decrypted message itself.
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A verified callback: what it reports (nothing for an address check), and the acknowledgement to send once the
    events are safely stored."""

    events: tuple[Event, ...]
    reply: CallbackReply


@dataclass(frozen=True, kw_only=True)
class Entity:
    """Something rows can be read from: an OData entity set, a table, a view."""

    name: str
    #: Names of the key properties, in order.
    key: tuple[str, ...]
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceField:
    """A field of an entity, for the field picker."""

    name: str
    #: ``text integer decimal date time boolean enum object``
    type: str
    #: Empty for the header, else the collection's name (``DocumentLines``).
    group: str = ""
    label: str = ""
    #: A user field (``U_…``).
    custom: bool = False
    #: Members, for an enum.
    members: tuple[str, ...] = ()


class Catalog(ABC):
    """What a source offers to read."""

    @abstractmethod
    async def entities(self) -> Sequence[Entity]:
        """All of them, sorted by name."""

    @abstractmethod
    async def fields(self, entity: str) -> Sequence[SourceField]:
        """Header fields first, then those of each detail collection; user fields included with their description."""


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


async def rows(items: Sequence[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """A stream over rows that are already here."""
    for item in items:
        yield item
