"""What a ``create`` sent, and how to find out what became of it when its answer was lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import ValidationError

from runtime import jsontext
from runtime.connectors.actions import ActionParams, Finding, Intent, Reconciliation
from runtime.engine.context import Call
from runtime.errors import RetryLater
from runtime.mapping.mapper import MappedForm
from runtime.store.columns import utc_now
from runtime.store.database import Database
from runtime.store.instances import rivals
from runtime.store.ledger import EffectRecord

__all__ = ["Flights", "Inquiry", "created", "sent"]


class Flights:
    """The ``create`` calls that are under way in this process, until their answers are recorded, by what they send."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str, str]] = Counter()

    def begin(self, intent: EffectRecord) -> None:
        """This call is under way from now on."""
        self._count[_content(intent)] += 1

    def end(self, intent: EffectRecord) -> None:
        """Its answer is recorded, or none is to be expected any more."""
        content = _content(intent)
        self._count[content] -= 1
        if not self._count[content]:
            del self._count[content]

    def has(self, intent: EffectRecord) -> bool:
        """Whether just the same is being sent at this moment."""
        return _content(intent) in self._count


class Inquiry:
    """Asks other systems what became of calls without an answer.

    :param settle: how long after its beginning such a call may still take effect
    :param flights: what this process is creating at the moment
    """

    def __init__(self, db: Database, flights: Flights, settle: timedelta) -> None:
        self.flights = flights
        self._db = db
        self._settle = settle

    def settled(self, intent: EffectRecord) -> bool:
        """Whether a call has had time enough: from now on not finding what it created counts, too."""
        return utc_now() - intent.started_at >= self._settle

    async def look_for(
        self, call: Call, intent: EffectRecord, *, delivery_id: int | None, document_key: str
    ) -> Reconciliation:
        """Look for what an earlier attempt at ``call`` created; never for what is another document's.

        :raises RetryLater: it cannot be told apart from what another document is creating just now
        """
        reconcile = call.action.reconcile
        params = _as_sent(call, intent)
        if reconcile is None or params is None:
            return _unclear(
                "单据在请求之后被修改，原请求的内容未能保留，无法对账",
                "The document was changed after the request, and what was sent is not known any more",
            )
        others = partial(rivals, effect=intent, delivery_id=delivery_id, young=utc_now() - self._settle)
        taken, _ = await self._db.aread(others)
        question = Intent(started_at=intent.started_at, document_key=document_key, taken=taken)
        answer = await reconcile(params, question)
        if answer.finding is not Finding.FOUND:
            return answer
        # Read after the answer: whoever created what was found has committed the intent before.
        taken_since, twin = await self._db.aread(others)
        found = created(call, answer.result)
        if found in taken:
            return _unclear("找到的内容已属于另一张单据", "What was found belongs to another document already")
        if found in taken_since or twin or self.flights.has(intent):
            raise RetryLater(
                "另一张内容相同的单据正在发送，暂时无法区分；稍后再核对",
                "Another document with the same content is being sent and cannot be told apart; it is looked for later",
                where=call.step,
            )
        return answer


def created(call: Call, result: Any) -> str:
    """The id of what a call created; empty if there is none, or if the call was about what has this id already."""
    found = result.get("instance_id") if isinstance(result, Mapping) else None
    if found is None or str(found) == str(call.values.get("instance_id")):
        return ""
    return str(found)


def sent(call: Call) -> tuple[bytes | None, str]:
    """What a call sends, as JSON, and its hash."""
    try:
        text: bytes | None = jsontext.dumps(call.values)
    except (TypeError, ValueError):
        text = None
    digest = hashlib.blake2b(text if text is not None else repr(call.values).encode(), digest_size=16).hexdigest()
    return text, digest


def _content(intent: EffectRecord) -> tuple[str, str, str]:
    return intent.connection, intent.action, intent.digest


def _as_sent(call: Call, intent: EffectRecord) -> ActionParams | None:
    """The params of the earlier attempt: looking for today's content would miss what was created from yesterday's."""
    if sent(call)[1] == intent.digest:
        return call.params
    if not isinstance(intent.request, Mapping):
        return None
    values = {name: _like(call.values.get(name), value) for name, value in intent.request.items()}
    try:
        return call.action.params.model_validate(values)
    except ValidationError:
        return None


def _like(model: Any, value: Any) -> Any:
    """A stored form gets the controls back that the mapping's form has."""
    if isinstance(model, MappedForm) and isinstance(value, Mapping):
        return MappedForm(value, model.controls)
    return value


def _unclear(zh: str, en: str) -> Reconciliation:
    return Reconciliation(finding=Finding.UNCLEAR, reason_zh=zh, reason_en=en)
