"""The tables of the state database; :data:`REVISION` is the migration that they correspond to."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy import UniqueConstraint as Unique

from runtime.store.columns import Json, Packed, UtcDateTime

__all__ = [
    "REVISION",
    "answers",
    "appcodes",
    "connections",
    "deliveries",
    "effects",
    "inbox",
    "incidents",
    "live_mappings",
    "metadata",
    "polls",
    "run_documents",
    "runs",
    "runtimes",
]

#: The newest migration in ``migrations/versions``.
REVISION = "0006"

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

#: The live runtime of this state, if any: at most one row, refreshed every few seconds.
runtimes = Table(
    "runtimes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("description", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("url", Text, nullable=False, default=""),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

connections = Table(
    "connections",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("kind", String(60), nullable=False),
    #: Everything but the secrets.
    Column("settings", Json, nullable=False),
    Column("secret_names", Json, nullable=False),
    #: Sealed by the vault; NULL = no secrets.
    Column("secrets", LargeBinary),
    #: A live connector of another moment is opened anew.
    Column("updated_at", UtcDateTime, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("mapping", String(80), nullable=False),
    Column("flow", String(60), nullable=False),
    #: schedule | event | http | manual
    Column("cause", String(20), nullable=False),
    #: queued | running | succeeded | partial | failed | stopped
    Column("state", String(20), nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    #: What the run was asked for: input, limit, inbox row; never headers or secrets.
    Column("request", Json),
    Column("total", Integer, nullable=False, default=0),
    Column("done", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("skipped", Integer, nullable=False, default=0),
    Column("unknown", Integer, nullable=False, default=0),
    #: {"zh", "en", "type", "where"} of what ended the run.
    Column("error", Json),
    Column("note", Text, nullable=False, default=""),
    Index(None, "state", "queued_at"),
    Index(None, "mapping", "flow", "queued_at"),
    Index(None, "queued_at"),
)

#: One row per document of a run; the steps outside ``each`` stand in the row of document ''.
run_documents = Table(
    "run_documents",
    metadata,
    Column("run_id", String(40), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    #: done | failed | skipped | unknown | stopped
    Column("state", String(20), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("elapsed_ms", Integer, nullable=False),
    Column("error", Json),
    Column("note", Text, nullable=False, default=""),
    Column("steps", Packed),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("connection", String(120), nullable=False),
    Column("event_key", String(200), nullable=False),
    Column("type", String(80), nullable=False),
    Column("instance_id", String(120), nullable=False),
    Column("form", String(120), nullable=False),
    Column("event", Json, nullable=False),
    #: new | working | done | failed (tried again at next_attempt_at, or by hand where that is NULL)
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("received_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("error", Json),
    Column("note", Text, nullable=False, default=""),
    Unique("connection", "event_key"),
    Index(None, "state", "next_attempt_at"),
    Index(None, "connection", "instance_id"),
)

#: One generation of one document: what it has become on the other side.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mapping", String(80), nullable=False),
    Column("flow", String(60), nullable=False),
    #: Which system's document: ``connection/entity``, or ``event:connection``.
    Column("source", String(200), nullable=False),
    Column("document_key", String(300), nullable=False),
    Column("generation", Integer, nullable=False),
    #: The key with its own type (12, "A01" …), as it goes back into expressions.
    Column("document", Json, nullable=False),
    #: open | complete | unknown | failed | resolved
    Column("state", String(20), nullable=False),
    #: Where the (last) approval of this document lives, and its id there.
    Column("connection", String(120), nullable=False, default=""),
    Column("instance_id", String(120), nullable=False, default=""),
    #: agreed | refused | withdrawn, once a verdict flow has carried it out.
    Column("outcome", String(20), nullable=False, default=""),
    Column("outcome_at", UtcDateTime),
    Column("error", Json),
    Column("note", Text, nullable=False, default=""),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("completed_at", UtcDateTime),
    #: What persons decided while it was unknown, oldest first: [{"at", "by", "step", "decision", "result"}].
    Column("decisions", Json),
    #: Hash of the query that was seen not to show the document any more: if it shows it again, it was submitted again.
    Column("left_source", String(40), nullable=False, default="", server_default=""),
    Unique("mapping", "flow", "source", "document_key", "generation"),
    Index(None, "document_key", "source"),
    Index(None, "state", "updated_at"),
    Index(None, "connection", "instance_id"),
    # Approvals without a verdict: few among many.
    Index(
        "ix_deliveries_open_approvals",
        "opened_at",
        sqlite_where=text("outcome = '' AND instance_id <> ''"),
        postgresql_where=text("outcome = '' AND instance_id <> ''"),
    ),
)

effects = Table(
    "effects",
    metadata,
    Column("delivery_id", Integer, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    #: Place of the step in the flow, by ids and labels: ``approval``, ``lines[3]/oa.comment``.
    Column("step", String(300), primary_key=True),
    #: update | create
    Column("effect", String(10), nullable=False),
    #: intent | sending (the same of an update) | done | absent (certainly nothing there: it may be sent) | unknown
    Column("state", String(10), nullable=False),
    Column("connection", String(120), nullable=False),
    Column("action", String(120), nullable=False),
    #: Hash of what was sent.
    Column("digest", String(40), nullable=False),
    #: Of a ``create``: what was sent, kept while no answer is known, because reconciliation must look for just that;
    #: then {"form"} of an approval, because not every system says whose verdict it is.
    #: Of an ``update``: {"entity", "key", "values"} of what it writes, to recognise a document that still holds it, and
    #: as "before" what stood there, to recognise one that was put back.
    Column("request", Json),
    #: Of an ``update``: the record that it writes into, ``connection/entity/key``.
    Column("target", String(300), nullable=False, default="", server_default=""),
    Column("result", Json),
    #: The approval that this effect created, as its events name it.
    Column("instance_id", String(120), nullable=False, default=""),
    #: Whether the result was adopted by reconciliation instead of answered.
    Column("adopted", Boolean, nullable=False, default=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Index(None, "connection", "instance_id"),
    Index(None, "state"),
    Index("ix_effects_target", "target", sqlite_where=text("target <> ''"), postgresql_where=text("target <> ''")),
)

#: The code that callers of an HTTP flow must send.
appcodes = Table(
    "appcodes",
    metadata,
    Column("mapping", String(80), primary_key=True),
    Column("flow", String(60), primary_key=True),
    #: Sealed by the vault.
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

#: What the live runtime made of each mapping file.
live_mappings = Table(
    "live_mappings",
    metadata,
    Column("mapping", String(120), primary_key=True),
    #: The version in force; empty = none, because the file was never good.
    Column("digest", String(80), nullable=False),
    #: What keeps the file as it is now from being taken up: [{"where", "zh", "en"}].
    Column("problems", Json, nullable=False),
    #: Flow -> when its schedule is due next (ISO 8601, UTC).
    Column("next_runs", Json, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

#: When the other system is asked next about an approval that has no verdict yet.
polls = Table(
    "polls",
    metadata,
    Column("delivery_id", Integer, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("next_at", UtcDateTime, nullable=False),
    Column("asked", Integer, nullable=False),
)

#: What an HTTP flow answered to a request with an idempotency key.
answers = Table(
    "answers",
    metadata,
    Column("mapping", String(80), primary_key=True),
    Column("flow", String(60), primary_key=True),
    Column("key", String(200), primary_key=True),
    #: Hash of the request: another one under the same key is refused.
    Column("digest", String(40), nullable=False),
    #: HTTP status; NULL = it is being carried out, or was broken off.
    Column("status", Integer),
    Column("headers", Json),
    Column("body", Packed),
    Column("started_at", UtcDateTime, nullable=False),
    Index(None, "started_at"),
)

#: What is wrong at the moment and was, or is about to be, told to people.
incidents = Table(
    "incidents",
    metadata,
    Column("key", String(250), primary_key=True),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
)
