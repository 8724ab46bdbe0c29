"""What was written into a document since its delivery, and whether the document still holds it.

A query that leaves delivered documents out shows one again only after somebody reset it: then it was resubmitted. A
query that does not leave them out shows every document at every tick, and each would become an approval each time.
The two are told apart by what was written into the document: by the delivery itself, and since then by any other flow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from runtime import jsontext
from runtime.connectors.actions import Effect
from runtime.engine.context import Call, Skipped
from runtime.store.ledger import Delivery, EffectRecord, EffectState

__all__ = ["WriteBack", "target", "written"]

_YES = frozenset({"y", "yes", "tyes", "true"})
_NO = frozenset({"n", "no", "tno", "false"})
_WRITTEN = (EffectState.SENDING, EffectState.DONE)
_LONGEST_TARGET = 300
#: :func:`_nearness` of an update into the very record that the rows are read from.
_AT_HOME = (True, True, True)


def written(values: Mapping[str, Any], row: Any, document_key: str) -> bytes | None:
    """What an ``update`` with these parameters writes, as the ledger keeps it; None if it names no values.

    :param row: the document that is being worked on; what it held before is kept of an update into itself
    """
    fields = values.get("values")
    if not isinstance(fields, Mapping):
        return None
    kept = {"values": {name: value for name, value in fields.items() if not isinstance(value, Mapping | list | tuple)}}
    kept |= {name: values[name] for name in ("entity", "key") if values.get(name) is not None}
    if isinstance(row, Mapping) and str(values.get("key")) == document_key:
        kept["before"] = {name: row[name] for name in kept["values"] if name in row}
    try:
        return jsontext.dumps(kept)
    except (TypeError, ValueError):
        return None


def target(call: Call) -> str:
    """The record that an ``update`` writes into, whichever flow makes the call; empty if it names none."""
    key = call.values.get("key")
    if key is None or not isinstance(call.values.get("values"), Mapping):
        return ""
    connector = call.connector
    company = f"#{connector.identity}" if connector.identity else ""
    name = f"{connector.name}{company}/{call.values.get('entity') or ''}/{key}"
    return name if len(name) <= _LONGEST_TARGET else hashlib.sha256(name.encode()).hexdigest()


class _Verdict(Enum):
    HELD = "it holds what was written"
    RESET = "somebody reset it"
    UNCLEAR = "nobody can tell"


class WriteBack:
    """What a complete delivery wrote into its own document, as far as can be told which of its updates did.

    :param earlier: the newest generation, complete
    :param query: which query shows the document now (:attr:`~runtime.engine.context.Origin.query`)
    """

    def __init__(self, earlier: Delivery, query: str) -> None:
        self._creates = any(
            one.effect == Effect.CREATE and one.state is not EffectState.ABSENT for one in earlier.effects.values()
        )
        #: Whether repeating the delivery would make something a second time, and the document may just have stayed.
        #: A query that left it out meanwhile shows it because it was reset; another one proves nothing.
        self.matters = self._creates and not (query and earlier.left_source == query)
        updates = [
            one
            for one in earlier.effects.values()
            if one.effect == Effect.UPDATE
            and one.state in _WRITTEN
            and isinstance(one.request, Mapping)
            and one.request.get("values")
        ]
        best = max((_nearness(one, earlier) for one in updates), default=None)
        # Rows of a statement name a table, their write-back an entity set of another connection: where the same key was
        # written in several places, each of them may be the document.
        places: dict[tuple[str, Any], list[EffectRecord]] = {}
        for one in sorted(updates, key=lambda one: one.started_at):
            if _nearness(one, earlier) == best:
                places.setdefault((one.connection, one.request.get("entity")), []).append(one)
        self._places = list(places.values())
        self._at_home = best == _AT_HOME

    @property
    def targets(self) -> frozenset[str]:
        """The records that it wrote into: what others wrote into them since is no reset either."""
        return frozenset(one.target for place in self._places for one in place if one.target)

    @property
    def elsewhere(self) -> list[EffectRecord]:
        """What was written over another connection, or into another set, than the rows are read from: one for each
        place, with all the values that the delivery left there. Such rows may be copies of some age.
        """
        if not self._creates or self._at_home:
            return []
        found = []
        for place in self._places:
            values = {name: value for one in place for name, value in one.request["values"].items()}
            found.append(replace(place[-1], request={**place[-1].request, "values": values}))
        return found

    def refuse_outdated(
        self, row: Any, found: Sequence[tuple[EffectRecord, Mapping[str, Any] | None]], since: Sequence[EffectRecord]
    ) -> None:
        """A row looks as if it had been reset: the records that were written into say whether it was.

        :param found: those of :attr:`elsewhere` that could be read back, with the fields that they wrote as the record
            holds them, read after the row; None if the record is gone
        :param since: what was written into :attr:`targets` since the delivery, read after that
        :raises Skipped: each of them is gone, or holds what flows wrote while the row shows something else
        """
        if not found or not all(_outdated(row, effect, stands, since) for effect, stands in found):
            return
        places = ", ".join(f"{effect.connection} {effect.request.get('entity') or ''}".rstrip() for effect, _ in found)
        raise Skipped(
            f"该单据已送达，{places} 中仍保留着回写的值，或记录已不存在；"
            "来源返回的是过期数据，或查询条件没有排除已送达的单据",
            f"Already delivered, and {places} still holds what was written back, or the record is gone: "
            "the source is out of date, or the query does not exclude delivered documents",
            warning=True,
        )

    def refuse_unchanged(self, row: Any, since: Sequence[EffectRecord] = ()) -> None:
        """A row that still holds what was written needs no second look: it was not resubmitted.

        :param since: what was written into :attr:`targets` since the delivery, by whatever flow
        :raises Skipped: it still holds it; the query does not leave out what is delivered
        """
        if not self.matters:
            return
        for place in self._places:
            if _judge(place, row, since) is not _Verdict.HELD:
                continue
            names = ", ".join(_comparable(place, row))
            raise Skipped(
                f"该单据已送达，仍保留着回写的值（{names}）；查询条件没有排除已送达的单据",
                f"Already delivered, and it still holds what was written back ({names}); "
                "the query does not exclude delivered documents",
                warning=True,
            )

    def refuse_repetition(self, row: Any, since: Sequence[EffectRecord] = ()) -> None:
        """Before a new generation: has the document been reset since its delivery?

        :param row: the document as it is now; it still is what the query asks for
        :param since: what was written into :attr:`targets` since the delivery, read after the row
        :raises Skipped: no, or nobody can tell; the query does not leave out what is delivered
        """
        self.refuse_unchanged(row, since)
        comparable = [place for place in self._places if _comparable(place, row)]
        if not self.matters or (
            comparable and all(_judge(place, row, since) is _Verdict.RESET for place in comparable)
        ):
            return
        if not self._places:
            raise Skipped(
                "该单据已送达，但流程没有回写记录，无法判断是否重新提交；查询条件没有排除已送达的单据",
                "Already delivered, and the flow wrote nothing back that would show a resubmission; "
                "the query does not exclude delivered documents",
                warning=True,
            )
        if comparable:
            raise Skipped(
                "该单据已送达，但回写是否完成没有记录，无法判断是否重新提交；查询条件没有排除已送达的单据",
                "Already delivered, but it is not recorded whether the write-back got through; nobody can tell if it "
                "was resubmitted; the query does not exclude delivered documents",
                warning=True,
            )
        names = ", ".join(dict.fromkeys(name for place in self._places for name in _fields(place)))
        raise Skipped(
            f"该单据已送达，而查询没有读取回写的字段（{names}），无法判断是否重新提交；"
            "查询条件没有排除已送达的单据，或需要读取这些字段",
            f"Already delivered, and the query does not read the fields that were written back ({names}): it does not "
            "exclude delivered documents, or it has to read these fields",
            warning=True,
        )


def _fields(place: Sequence[EffectRecord]) -> dict[str, list[EffectRecord]]:
    """Field → the updates that wrote it, oldest first."""
    fields: dict[str, list[EffectRecord]] = {}
    for one in place:
        for name in one.request["values"]:
            fields.setdefault(name, []).append(one)
    return fields


def _comparable(place: Sequence[EffectRecord], row: Any) -> dict[str, list[EffectRecord]]:
    return {name: ones for name, ones in _fields(place).items() if isinstance(row, Mapping) and name in row}


def _judge(place: Sequence[EffectRecord], row: Any, since: Sequence[EffectRecord]) -> _Verdict:
    fields = _comparable(place, row)
    if not fields:
        return _Verdict.UNCLEAR
    if _put_back(fields, row):
        return _Verdict.RESET
    known = _known(place, since)
    lost = [name for name in fields if not any(_wrote(one, name, row[name]) for one in known)]
    if not lost:
        return _Verdict.HELD
    # What an update without an answer was to write may never have stood there: to miss it proves nothing.
    certain = any(one.state is EffectState.DONE for name in lost for one in fields[name])
    return _Verdict.RESET if certain else _Verdict.UNCLEAR


def _outdated(row: Any, effect: EffectRecord, stands: Mapping[str, Any] | None, since: Sequence[EffectRecord]) -> bool:
    """Whether a row shows what the record does not hold any more; nobody but flows wrote into the record."""
    if stands is None:
        return True
    known = _known([effect], since)
    names = [name for name in effect.request["values"] if name in stands]
    if not all(any(_wrote(one, name, stands[name]) for one in known) for name in names):
        return False
    shown = [name for name in names if isinstance(row, Mapping) and name in row]
    return not shown or not all(_same(stands[name], row[name]) for name in shown)


def _known(place: Sequence[EffectRecord], since: Sequence[EffectRecord]) -> list[EffectRecord]:
    """What flows wrote there, the delivery's own first."""
    targets = {one.target for one in place}
    return [*place, *(one for one in since if one.target in targets and isinstance(one.request, Mapping))]


def _wrote(effect: EffectRecord, name: str, holds: Any) -> bool:
    values = effect.request.get("values") or {}
    return name in values and _same(values[name], holds)


def _put_back(fields: Mapping[str, Sequence[EffectRecord]], row: Mapping[str, Any]) -> bool:
    """Whether every field that was certainly written looks as it did before: whoever did that wants it sent again.

    A mark that was empty may be put back as ``N``: both mean not yet.
    """
    changed = False
    for name, ones in fields.items():
        last = ones[-1]
        before = last.request.get("before") or {}
        if last.state is not EffectState.DONE or name not in before or not _equally_open(before[name], row[name]):
            return False
        changed = changed or not _equally_open(before[name], last.request["values"][name])
    return changed


def _nearness(effect: EffectRecord, delivery: Delivery) -> tuple[bool, bool, bool]:
    """How sure it is that an update wrote into the document: same connection, same key, same entity."""
    name, _, entity = delivery.source.partition("#")[0].partition("/")
    key = effect.request.get("key")
    return (
        effect.connection == name,
        key is not None and str(key) == delivery.document_key,
        effect.request.get("entity") == entity,
    )


def _same(wrote: Any, holds: Any) -> bool:
    """Whether a field holds what was written, in whatever way the other system gives it back."""
    first, second = _plain(wrote), _plain(holds)
    if first == second:
        return True
    # A date goes in as 2026-01-31 and may come back as 2026-01-31T00:00:00Z or 20260131.
    return _date(first) is not None and _date(first) == _date(second)


def _equally_open(first: Any, second: Any) -> bool:
    return _same(first, second) or {_plain(first), _plain(second)} == {"", "no"}


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(str(value).split())
    lower = text.lower()
    if lower in _YES:
        return "yes"
    if lower in _NO:
        return "no"
    try:
        number = Decimal(text)
    except InvalidOperation:
        return lower
    return number if number.is_finite() else lower


def _date(value: Any) -> list[str] | None:
    """Year, month and day of the date that a text begins with, or that a number of eight digits is."""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        text = str(int(value))
        return [text[:4], text[4:6], text[6:]] if len(text) == 8 else None
    if not isinstance(value, str) or len(value) < 10:
        return None
    parts = value[:10].replace("/", "-").split("-")
    return parts if [len(part) for part in parts] == [4, 2, 2] and all(part.isdecimal() for part in parts) else None
