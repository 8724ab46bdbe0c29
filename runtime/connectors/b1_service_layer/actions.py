"""Parameters of the actions: what a mapping's ``with`` may say."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from runtime.connectors.actions import ActionParams
from runtime.connectors.b1_service_layer.odata import Key
from runtime.connectors.statements.params import LineStatements, Parameters, different_names, source_table

__all__ = [
    "ActionCall",
    "Attachment",
    "Count",
    "Create",
    "Decide",
    "Find",
    "Get",
    "Query",
    "SaveDraft",
    "Update",
    "Upsert",
]

#: An entity set, e.g. ``Drafts``; views live one level down (``sml.svc/Name``).
EntityName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(/[A-Za-z_][\w.]*)?$")]


def _names(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value or ()


#: Property names, as a list or as OData writes them (``DocEntry,DocNum``).
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class Query(ActionParams):
    """Rows, streamed: of an entity set (``entity``), or of a statement (``statement``) over the SQLQueries.

    Rows of an entity set come in the order of the key, or in ``orderby`` where that is given; those of a statement in
    the order of ``key``, each with the lines that further statements yield.
    """

    entity: EntityName | None = None
    select: Names = ()
    filter: str | None = None
    orderby: str | None = None
    page_size: int = Field(20, ge=1)
    top: int | None = Field(None, ge=0)
    expand: str | None = None
    statement: str | None = None
    #: Column of the statement that tells one document from another.
    key: str = Field("DocEntry", min_length=1)
    lines: LineStatements = ()
    parameters: Parameters = Field(default_factory=dict)

    _different = field_validator("lines")(different_names)

    @model_validator(mode="after")
    def _entity_or_statement(self) -> Query:
        if (self.entity is None) == (self.statement is None):
            raise ValueError("give either entity (OData) or statement (SQL) | entity 与 statement 必须且只能给一个")
        foreign = _OF_STATEMENT if self.statement is None else _OF_ENTITY
        if wrong := sorted(self.model_fields_set & foreign):
            way = "entity" if self.statement is None else "statement"
            raise ValueError(f"{', '.join(wrong)} cannot stand beside {way} | {way} 不能与 {'、'.join(wrong)} 同用")
        return self

    @property
    def source(self) -> str:
        """The entity set, or the statement's main table in capitals."""
        return self.entity if self.entity is not None else source_table(self.statement or "")


_OF_ENTITY = frozenset({"select", "filter", "orderby", "expand"})
_OF_STATEMENT = frozenset({"key", "lines", "parameters"})


class Find(ActionParams):
    """One row or None: the one with this key, or without a key the first that the filter finds."""

    entity: EntityName
    key: Key | None = None
    filter: str | None = None
    select: Names = ()


class Get(ActionParams):
    """The row with this key."""

    entity: EntityName
    key: Key
    select: Names = ()


class Count(ActionParams):
    """How many rows the filter finds."""

    entity: EntityName
    filter: str | None = None


class Attachment(ActionParams):
    """The files of an attachment entry, to be handed to another system."""

    #: ``AttachmentEntry`` of the record; None = the record has no attachment.
    entry: Annotated[int | None, BeforeValidator(lambda value: None if value == "" else value)] = None
    #: Only this file, named with its extension; empty = all of them.
    name: str = ""


class Create(ActionParams):
    """A new row.

    ``match`` is a filter that finds this very row, e.g. by a user field that holds the other side's number; with it an
    attempt that was never answered can be looked up.
    """

    entity: EntityName
    values: dict[str, Any]
    match: str | None = None


class Update(ActionParams):
    """Change properties of one row; what is not named stays.

    A line is found by its ``LineNum``; B1 takes a line without one for the line at that position, and appends rows to
    collections such as ``ContactEmployees``. With ``replace_collections`` lines that are not sent are deleted.
    With ``etag`` the change is refused if the row changed since it was read.
    """

    entity: EntityName
    key: Key
    values: dict[str, Any]
    replace_collections: bool = False
    etag: str | None = None


class Upsert(ActionParams):
    """The row with this key changed, or made if there is none; for records whose key is not B1's to give.

    ``create`` holds what only a new row gets besides its key and ``values``.
    """

    entity: EntityName
    key: Key
    values: dict[str, Any]
    create: dict[str, Any] = Field(default_factory=dict)


class ActionCall(ActionParams):
    """A bound action of one row, e.g. ``Close`` or ``Cancel``.

    ``match`` is a filter that holds for the row once the action has taken place, e.g. ``Cancelled eq 'tYES'``.
    """

    entity: EntityName
    key: Key
    name: str = Field(pattern=r"^[A-Za-z_][\w.]*$")
    values: dict[str, Any] | None = None
    match: str | None = None


class Decide(ActionParams):
    """Approve or refuse the pending approval request of a draft."""

    #: ``DocEntry`` of the draft.
    draft: int
    approved: bool
    #: Cut to the 200 characters that B1 takes.
    remarks: str | None = None
    #: User code; only the connection's user and its deciding user have a password.
    approver: str | None = None
    #: Decide one stage after another until the request is decided, where this is the verdict on the whole document.
    all_stages: bool = False


class SaveDraft(ActionParams):
    """Add the approved draft as a document."""

    #: ``DocEntry`` of the draft.
    draft: int
