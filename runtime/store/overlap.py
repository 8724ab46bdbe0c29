"""A document that another flow has sent: two flows, mostly a mapping and its copy, each keep a ledger of their own.

Before a flow creates anything for a document it looks, in the transaction that commits its intent, whether another one
has done the same since the document was read, or has not come to its end with it. Times are UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, String, bindparam, exists, or_, select

from runtime.connectors.actions import Effect
from runtime.store.ledger import DeliveryState, EffectState
from runtime.store.tables import deliveries, effects

__all__ = ["APPROVAL", "Claim", "SentElsewhere", "overlapping", "refuse_overlap"]

#: What every approval system calls it.
APPROVAL: Final = "create_approval"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A ``create`` that is about to be made for a document."""

    mapping: str
    flow: str
    source: str
    document_key: str
    connection: str
    action: str
    #: Hash of what is sent.
    digest: str
    #: The document was read after this.
    since: datetime

    @property
    def content(self) -> str:
        """The :attr:`digest` that others must have sent to have done the same; empty = they have, whatever they sent.

        A document of a certain table gets one approval. Its other consequences may be several, and where it is not
        known what the documents are (rows of a procedure, a list) the same key may well mean another one.
        """
        certain = "/" in self.source.partition("#")[0]
        return "" if self.action == APPROVAL and certain else self.digest


class SentElsewhere(Exception):
    """Another flow has done the same for the document.

    :param delivery_id: its delivery
    :param state: of that
    """

    def __init__(self, delivery_id: int, mapping: str, flow: str, state: DeliveryState) -> None:
        super().__init__(delivery_id, mapping, flow, state)
        self.delivery_id = delivery_id
        self.mapping = mapping
        self.flow = flow
        self.state = state


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
    alike: dict[tuple[str, str, str], dict[str, list[Claim]]] = defaultdict(lambda: defaultdict(list))
    for claim in claims:
        alike[claim.source, claim.mapping, claim.flow][claim.document_key].append(claim)
    for (source, mapping, flow), group in alike.items():
        asked = {
            "its_source": source,
            "its_keys": list(group),
            "its_mapping": mapping,
            "its_flow": flow,
            "since": min(claim.since for ones in group.values() for claim in ones),
        }
        for row in connection.execute(_OTHERS, asked).all():
            if any(_did(connection, row.id, claim) for claim in group[row.document_key]):
                yield SentElsewhere(row.id, row.mapping, row.flow, DeliveryState(row.state))


def _did(connection: Connection, delivery_id: int, claim: Claim) -> bool:
    asked = {
        "its_delivery": delivery_id,
        "its_connection": claim.connection,
        "its_action": claim.action,
        "its_content": claim.content,
    }
    return bool(connection.scalar(_CREATED, asked))


# Built once: building statements would cost more than carrying them out. Two, because hardly ever is there another
# flow's delivery, and joined they tempt a planner to begin with the effects, of which there are many.
_OTHERS = (
    select(*(deliveries.c[name] for name in ("id", "mapping", "flow", "document_key", "state")))
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
        or_(bindparam("its_content", type_=String) == "", effects.c.digest == bindparam("its_content")),
    )
)
