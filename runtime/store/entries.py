"""What documents commit on their way through a run; many at a time cost little more than one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from sqlalchemy import Connection, bindparam, insert, update

from runtime.store.columns import utc_now
from runtime.store.instances import claim_instance, held_by_others
from runtime.store.ledger import UPSERT_EFFECTS, DeliveryState, EffectRecord, EffectState
from runtime.store.overlap import Claim, overlapping, refuse_overlap
from runtime.store.runs import add_documents
from runtime.store.tables import deliveries
from runtime.store.writer import Joint

__all__ = ["Contradicted", "Entry", "IfTaken"]


class Contradicted(Exception):
    """A delivery was taken out of the hands of whoever was at work on it: a person decides about it, or has decided."""


class _NotTogether(Exception):
    """These entries get into each other's way."""


class IfTaken(Enum):
    """What becomes of an entry whose delivery was taken out of its writer's hands."""

    #: It is written all the same.
    WRITE = "write"
    #: Nothing is written, and the writer hears of it.
    REFUSE = "refuse"
    #: The delivery stays as it is; the effects and the record are written.
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class Entry(Joint):
    """One document's part of a commit. Its result is the delivery's id, or None where it has none.

    :raises TakenByAnother: an effect was found by looking, and what was found is another document's
    :raises SentElsewhere: another flow has sent the document
    :raises Contradicted: see :class:`IfTaken`
    """

    #: Columns of the table ``deliveries``; with ``id`` these columns of that delivery are changed, else it is new.
    delivery: Mapping[str, Any] | None = None
    #: Those of its effects that changed.
    effects: tuple[EffectRecord, ...] = ()
    if_taken: IfTaken = IfTaken.WRITE
    #: Of an intent: what no other flow may have done.
    claim: Claim | None = None
    #: Whether a person had decided about the delivery before the writer took it up.
    resumed: bool = False
    #: Columns of the table ``run_documents`` but ``steps``.
    record: Mapping[str, Any] | None = None
    #: Packs the column ``steps``, in the writer's thread.
    steps: Callable[[], bytes] | None = None

    def __call__(self, connection: Connection) -> int | None:
        """Write it."""
        if self.claim is not None:
            refuse_overlap(connection, self.claim)
        for delivery_id, effect in self._found():
            claim_instance(connection, effect, delivery_id=delivery_id)
        return _write(connection, [self])[0]

    @classmethod
    def together(cls, connection: Connection, pieces: Sequence[Self]) -> list[Any]:
        """Write several."""
        found = [one for piece in pieces for one in piece._found()]
        if found and held_by_others(connection, found):
            raise _NotTogether
        claims = [piece.claim for piece in pieces if piece.claim is not None]
        if claims and overlapping(connection, claims):
            raise _NotTogether
        return _write(connection, pieces)

    def _found(self) -> list[tuple[int | None, EffectRecord]]:
        delivery_id = self.delivery.get("id") if self.delivery is not None else None
        return [(delivery_id, one) for one in self.effects if one.instance_id and one.state is EffectState.DONE]


def _write(connection: Connection, entries: Sequence[Entry]) -> list[int | None]:
    ids = _insert(connection, entries)
    _update(connection, entries)
    changed = [
        {"delivery_id": delivery_id, **vars(effect)}
        for delivery_id, entry in zip(ids, entries, strict=True)
        for effect in entry.effects
    ]
    if changed:
        connection.execute(UPSERT_EFFECTS[connection.dialect.name], changed)
    records = [
        {**entry.record, "steps": entry.steps() if entry.steps is not None else None}
        for entry in entries
        if entry.record is not None
    ]
    if records:
        add_documents(connection, records)
    return ids


def _insert(connection: Connection, entries: Sequence[Entry]) -> list[int | None]:
    """Add the deliveries that are new; the ids of all."""
    now = utc_now()
    alike: dict[frozenset[str], list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        if entry.delivery is not None and "id" not in entry.delivery:
            alike[frozenset(entry.delivery)].append({**entry.delivery, "opened_at": now, "updated_at": now})
    given: dict[tuple[Any, ...], int] = {}
    for rows in alike.values():
        for delivery_id, *name in connection.execute(_INSERT, rows):
            given[tuple(name)] = delivery_id
    ids: list[int | None] = []
    for entry in entries:
        if entry.delivery is None:
            ids.append(None)
        else:
            known = entry.delivery.get("id")
            ids.append(known if known is not None else given[tuple(entry.delivery[name] for name in _NAME)])
    return ids


def _update(connection: Connection, entries: Sequence[Entry]) -> None:
    """Change the deliveries that are there already."""
    now = utc_now()
    alike: dict[tuple[IfTaken, frozenset[str]], list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        if entry.delivery is None or "id" not in entry.delivery:
            continue
        values = {name: value for name, value in entry.delivery.items() if name != "id"}
        values |= {"delivery_id": entry.delivery["id"], "updated_at": now}
        if entry.if_taken is not IfTaken.WRITE:
            values["taken_too"] = "" if entry.resumed else DeliveryState.RESOLVED
        alike[entry.if_taken, frozenset(values)].append(values)
    for (if_taken, _), rows in alike.items():
        statement = _UPDATE if if_taken is IfTaken.WRITE else _UPDATE_UNLESS_TAKEN
        changed = connection.execute(statement, rows).rowcount
        if if_taken is IfTaken.REFUSE and changed < len(rows):
            raise Contradicted


_NAME = ("mapping", "flow", "source", "document_key", "generation")
# Built once: building statements would cost more than carrying them out.
_INSERT = insert(deliveries).returning(deliveries.c.id, *(deliveries.c[name] for name in _NAME))
_UPDATE = update(deliveries).where(deliveries.c.id == bindparam("delivery_id"))
_UPDATE_UNLESS_TAKEN = _UPDATE.where(
    deliveries.c.state != DeliveryState.UNKNOWN, deliveries.c.state != bindparam("taken_too")
)
