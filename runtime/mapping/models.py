"""The mapping document, format 1: one JSON file, one business document type, both directions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from runtime.config import DEFAULT_TIMEZONE
from runtime.mapping.forms import Control

__all__ = [
    "STEP_KINDS",
    "CallStep",
    "Case",
    "DynamicConnection",
    "EachStep",
    "EventTrigger",
    "FieldLink",
    "Flow",
    "HttpEvent",
    "HttpTrigger",
    "IfStep",
    "MapSpec",
    "MapStep",
    "MapTarget",
    "Mapping",
    "RespondStep",
    "RoleConnection",
    "RunStep",
    "Schedule",
    "SetStep",
    "Step",
    "StopStep",
    "SwitchCase",
    "SwitchStep",
    "TableLink",
    "TemplateRef",
    "Trigger",
    "TryStep",
    "WhileStep",
]

#: Lower-case words joined by hyphens: safe as a file name and in an address.
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$")]
#: A name usable in expressions.
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,59}$")]
#: A transform: its bare name, or ``{name: argument}``.
TransformSpec = str | Annotated[dict[str, Any], Field(min_length=1, max_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FieldLink(_Part):
    """One target field: exactly one of ``from`` (a path) or ``value`` (a constant or ``{{ expression }}``)."""

    to: str = Field(min_length=1)
    from_: str | None = Field(None, alias="from", min_length=1)
    value: Any = None
    through: tuple[TransformSpec, ...] = ()

    @model_validator(mode="after")
    def _exactly_one_source(self) -> FieldLink:
        if (self.from_ is not None) == ("value" in self.model_fields_set):
            raise PydanticCustomError("one_source", "give exactly one of 'from' and 'value'")
        return self

    @model_serializer(mode="wrap")
    def _keep_null_value(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A value of null is a source: leaving it out as a default would leave the field without any.
        written: dict[str, Any] = handler(self)
        if self.from_ is None and "value" not in written:
            return {"to": self.to, "value": None} | written
        return written


class TableLink(_Part):
    """A detail table: one row of the form per element of ``from``."""

    to: str = Field(min_length=1)
    from_: str = Field(alias="from", min_length=1)
    fields: tuple[FieldLink, ...]


class MapTarget(_Part):
    """What is filled: a form of an approval system, or an entity of the ERP.

    ``title`` and ``controls`` are the form's design-time snapshot; the title is for people only.
    """

    connection: Name | None = None
    form: str | None = None
    entity: str | None = None
    title: str = ""
    controls: tuple[Control, ...] | None = None


class MapSpec(_Part):
    from_: str = Field(alias="from")
    to: MapTarget = MapTarget()
    fields: tuple[FieldLink, ...] = ()
    tables: tuple[TableLink, ...] = ()


class Response(_Part):
    status: int | str = 200
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)


class _Step(_Part):
    #: The step's result is known under this name afterwards.
    id: Name | None = None


class CallStep(_Step):
    """An action of a connection: ``role.action``."""

    call: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class MapStep(_Step):
    map: MapSpec


class EachStep(_Step):
    """For each element; with ``key`` every element is a document with its own place in the ledger."""

    each: str
    as_: Name = Field("item", alias="as")
    key: str | None = None
    concurrency: int = Field(1, ge=1, le=64)
    steps: tuple[Step, ...]


class IfStep(_Step):
    if_: str = Field(alias="if")
    then: tuple[Step, ...]
    else_: tuple[Step, ...] = Field((), alias="else")


class SwitchCase(_Part):
    #: A constant or expression compared with the switch value; a list means any of them.
    when: Any
    steps: tuple[Step, ...]


class SwitchStep(_Step):
    switch: str
    cases: tuple[SwitchCase, ...]
    default: tuple[Step, ...] = ()


class WhileStep(_Step):
    while_: str = Field(alias="while")
    #: More rounds than this are an error.
    limit: int = Field(1000, ge=1, le=100_000)
    steps: tuple[Step, ...]


class SetStep(_Step):
    """Variables; a name ending in ``+`` appends to a list."""

    set: dict[str, Any]


class TryStep(_Step):
    """``catch`` runs when a step of ``try`` fails; it sees ``error`` (``message``, ``code``, ``where``)."""

    try_: tuple[Step, ...] = Field(alias="try")
    catch: tuple[Step, ...]


class RunStep(_Step):
    """Another flow of this mapping, with ``with`` as its ``input``; its ``respond`` body is the result."""

    run: Name
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class RespondStep(_Step):
    """The answer of an HTTP flow or sub-flow."""

    respond: Response


class StopStep(_Step):
    """End the flow (inside ``each``: this element), with a reason for the log.

    :param failed: it ends with an error, which is the reason: the document counts as failed, ``catch`` sees it
    """

    stop: str
    failed: bool = False


#: What a step can be; the key names the kind.
STEP_KINDS = ("call", "map", "each", "if", "switch", "while", "set", "try", "run", "respond", "stop")


def _kind_of(step: Any) -> str | None:
    if isinstance(step, dict):
        found = [kind for kind in STEP_KINDS if kind in step]
        # Two kinds in one step: the first is taken, the other is then reported as a key that does not belong there.
        return found[0] if found else None
    return type(step).__name__.removesuffix("Step").lower()


Step = Annotated[
    Annotated[CallStep, Tag("call")]
    | Annotated[MapStep, Tag("map")]
    | Annotated[EachStep, Tag("each")]
    | Annotated[IfStep, Tag("if")]
    | Annotated[SwitchStep, Tag("switch")]
    | Annotated[WhileStep, Tag("while")]
    | Annotated[SetStep, Tag("set")]
    | Annotated[TryStep, Tag("try")]
    | Annotated[RunStep, Tag("run")]
    | Annotated[RespondStep, Tag("respond")]
    | Annotated[StopStep, Tag("stop")],
    Discriminator(
        _kind_of,
        custom_error_type="step_kind",
        custom_error_message=f"a step has exactly one of: {', '.join(STEP_KINDS)}",
    ),
]


class Schedule(_Part):
    """When: ``every`` (``30s 5m 2h 1d 1w 1M``) or ``cron`` (five fields)."""

    every: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}(s|m|h|d|w|M)$")] | None = None
    cron: str | None = None
    #: First run, ISO 8601 in ``timezone``.
    start: str | None = None
    #: Delay behind each tick, e.g. ``10s``.
    offset: Annotated[str, Field(pattern=r"^[0-9]{1,5}(s|m|h)$")] | None = None
    timezone: str | None = None

    @model_validator(mode="after")
    def _exactly_one_clock(self) -> Schedule:
        if (self.every is None) == (self.cron is None):
            raise PydanticCustomError("one_clock", "give exactly one of 'every' and 'cron'")
        return self


class EventTrigger(_Part):
    connection: Name
    type: str = "approval.finished"
    #: A constant or an expression over ``settings``; None = every form.
    form: str | None = None


class HttpEvent(_Part):
    """What a call to an HTTP flow reports: the end of an approval, from a system that sends no callbacks of its own.

    Such a call is stored before anything else, as a callback is, and carried out until it succeeds. Values are
    constants or expressions over ``request`` and ``settings``.
    """

    #: Where the approval lives.
    connection: Name
    type: str = "approval.finished"
    instance_id: str = Field(min_length=1)
    #: Yields ``agreed``, ``refused``, ``withdrawn``, or nothing.
    outcome: str | None = None
    approver: str | None = None
    #: When it was decided, as the other system writes it; a time without offset is in the mapping's zone. Of two
    #: reports that say so the later one stands, whichever arrives first.
    finished_at: str | None = None
    #: Seconds, 0 to 300: how long the caller waits for the flow's answer. After that, ``on_stored`` is answered.
    wait: str | int = 20


class HttpTrigger(_Part):
    #: Empty = ``{mapping}/{flow}``, see :meth:`Mapping.http_path`.
    path: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9_./-]*)?$")
    methods: tuple[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], ...] = ("POST",)
    #: Expression over ``request``; equal keys get the stored answer. A key under which nothing happened is free again.
    key: str | None = None
    #: What is answered when the flow fails, and to a request that is refused (with the status of the refusal); it may
    #: use ``error`` (``message``, ``code``, ``remote``, ``where``, ``repeats`` = the runtime tries again by itself),
    #: ``request`` and ``settings``. None = the product's own error object.
    on_error: Response | None = None
    #: The flow then has the variable ``event``, and the write-back of the approval's document is finished first.
    event: HttpEvent | None = None
    #: With ``event``: what is answered when the report is safely stored and not carried out yet; it may use ``request``
    #: and ``settings``. None = the status 202 with an object of the product's own.
    on_stored: Response | None = None
    #: A body as the caller sends it, over ``settings`` at most: for people and for the preview, never used by a run.
    sample: Any = None


class Manual(_Part):
    """By hand, from the command line, or as a sub-flow."""


class Trigger(_Part):
    """Exactly one."""

    schedule: Schedule | None = None
    event: EventTrigger | None = None
    http: HttpTrigger | None = None
    manual: Manual | None = None

    @property
    def event_role(self) -> str:
        """Role of the connection whose events it waits for, or that its HTTP calls report about; empty = neither."""
        source = self.event or (self.http.event if self.http is not None else None)
        return source.connection if source is not None else ""

    @model_validator(mode="after")
    def _exactly_one(self) -> Trigger:
        given = [name for name in ("schedule", "event", "http", "manual") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError("one_trigger", "give exactly one of 'schedule', 'event', 'http', 'manual'")
        return self


class DynamicConnection(_Part):
    """A connection that is chosen at the beginning of every run, among those listed here and no others."""

    #: Expression over ``settings``; in an HTTP flow over ``request`` too, in a flow run by hand over ``input``.
    choose: str = Field(min_length=1)
    #: Value → name of the connection that it chooses.
    among: dict[str, Annotated[str, Field(min_length=1)]] = Field(min_length=1)
    #: Name of the connection where the value is empty; None = a value is required.
    default: str | None = Field(None, min_length=1)


#: What plays a role: the name of a connection, or a choice of one.
RoleConnection = Annotated[
    Annotated[str, Tag("fixed")] | Annotated[DynamicConnection, Tag("dynamic")],
    Discriminator(lambda value: "dynamic" if isinstance(value, dict | DynamicConnection) else "fixed"),
]


class Flow(_Part):
    title: str = ""
    trigger: Trigger
    steps: tuple[Step, ...]


class TemplateRef(_Part):
    id: str
    version: int


class Case(_Part):
    """A golden case: with ``input`` as the variables, the steps named in ``expect`` must yield just that."""

    name: str
    flow: Name
    input: dict[str, Any] = Field(default_factory=dict)
    expect: dict[str, Any] = Field(default_factory=dict)


class Mapping(_Part):
    """The whole document."""

    format: Literal[1] = 1
    id: Identifier
    title: str = ""
    template: TemplateRef | None = None
    enabled: bool = True
    timezone: str = DEFAULT_TIMEZONE
    #: Role → name of a connection, or how one is chosen.
    connections: dict[Name, RoleConnection] = Field(default_factory=dict)
    settings: dict[Name, Any] = Field(default_factory=dict)
    flows: dict[Name, Flow] = Field(min_length=1)
    cases: tuple[Case, ...] = ()

    def http_path(self, flow: str) -> str:
        """Where below ``/flows/`` an HTTP flow is called: a mapping that is copied gets addresses of its own."""
        trigger = self.flows[flow].trigger.http
        return (trigger.path if trigger is not None else "") or f"{self.id}/{flow}"


for _model in (EachStep, IfStep, SwitchCase, SwitchStep, WhileStep, TryStep, Flow, Mapping):
    _model.model_rebuild()
