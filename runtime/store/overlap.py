"""A document that another flow has sent: two flows, mostly a mapping and its copy, each keep a ledger of their own.

Before a flow creates anything for a document it looks, in the transaction that commits its intent, whether another one
has done the same since the document was read, or has not come to its end with it. Times are UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, exists, or_, select

from runtime.connectors.actions import Effect
from runtime.store.ledger import DeliveryState, EffectState
from runtime.store.tables import deliveries, effects

__all__ = ["Claim", "SentElsewhere", "overlapping", "refuse_overlap"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A ``create`` that is about to be made for a document."""

    mapping: str
    flow: str
    source: str
    document_key: str
    connection: str
    action: str
    #: The document was read after this.
    since: datetime


class SentElsewhere(Exception):
    """Another flow has done the same for the document.

    :param delivery_id: its delivery
    """

    def __init__(self, delivery_id: int, mapping: str, flow: str) -> None:
        super().__init__(delivery_id, mapping, flow)
        self.delivery_id = delivery_id
        self.mapping = mapping
        self.flow = flow


def refuse_overlap(connection: Connection, claim: Claim) -> None:
    """Nothing happens if no other flow has sent the document.

    :raises SentElsewhere: one has
    """
    for other in _others(connection, [claim]):
        raise other


def overlapping(connection: Connection, claims: Sequence[Claim]) -> bool:
    """Whether one of these documents was sent by another flow, or two of them are the same one."""
    flows: dict[tuple[str, str], tuple[str, str]] = {}
    for claim in claims:
        flow = (claim.mapping, claim.flow)
        if flows.setdefault((claim.source, claim.document_key), flow) != flow:
            return True
    return next(_others(connection, claims), None) is not None


def _others(connection: Connection, claims: Iterable[Claim]) -> Iterator[SentElsewhere]:
    alike: dict[tuple[str, ...], list[Claim]] = defaultdict(list)
    for claim in claims:
        alike[claim.source, claim.mapping, claim.flow, claim.connection, claim.action].append(claim)
    for (source, mapping, flow, name, action), group in alike.items():
        asked = {
            "its_source": source,
            "its_keys": [claim.document_key for claim in group],
            "its_mapping": mapping,
            "its_flow": flow,
            "since": min(claim.since for claim in group),
        }
        for row in connection.execute(_OTHERS, asked).all():
            done = {"its_delivery": row.id, "its_connection": name, "its_action": action}
            if connection.scalar(_CREATED, done):
                yield SentElsewhere(row.id, row.mapping, row.flow)


# Built once: building statements would cost more than carrying them out. Two, because hardly ever is there another
# flow's delivery, and joined they tempt a planner to begin with the effects, of which there are many.
_OTHERS = (
    select(deliveries.c.id, deliveries.c.mapping, deliveries.c.flow)
    .where(
        deliveries.c.source == bindparam("its_source"),
        deliveries.c.document_key.in_(bindparam("its_keys", expanding=True)),
        or_(deliveries.c.mapping != bindparam("its_mapping"), deliveries.c.flow != bindparam("its_flow")),
        or_(deliveries.c.state != DeliveryState.COMPLETE, deliveries.c.completed_at >= bindparam("since")),
    )
    .order_by(deliveries.c.id)
)
_CREATED = select(
    exists().where(
        effects.c.delivery_id == bindparam("its_delivery"),
        effects.c.effect == Effect.CREATE,
        effects.c.state != EffectState.ABSENT,
        effects.c.connection == bindparam("its_connection"),
        effects.c.action == bindparam("its_action"),
    )
)
