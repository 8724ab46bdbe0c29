"""What a delivery wrote back into its document, and whether the document still holds it.

A query that leaves delivered documents out shows one again only after somebody reset it: then it was resubmitted. A
query that does not leave them out shows every document at every tick, and each would become an approval each time.
The two are told apart by what the write-back wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from runtime import jsontext
from runtime.connectors.base import Effect
from runtime.engine.context import Skipped
from runtime.store.ledger import Delivery, EffectRecord, EffectState

__all__ = ["refuse_repetition", "refuse_unchanged", "written"]

_YES = frozenset({"y", "yes", "tyes", "true"})
_NO = frozenset({"n", "no", "tno", "false"})


def written(values: Mapping[str, Any]) -> bytes | None:
    """What an ``update`` with these parameters writes, as the ledger keeps it; None if it names no values."""
    fields = values.get("values")
    if not isinstance(fields, Mapping):
        return None
    kept = {"values": {name: value for name, value in fields.items() if not isinstance(value, Mapping | list | tuple)}}
    kept |= {name: values[name] for name in ("entity", "key") if values.get(name) is not None}
    try:
        return jsontext.dumps(kept)
    except (TypeError, ValueError):
        return None


def _created_something(delivery: Delivery) -> bool:
    """Whether repeating the delivery would make something a second time."""
    return any(one.effect == Effect.CREATE and one.state is not EffectState.ABSENT for one in delivery.effects.values())


def refuse_unchanged(earlier: Delivery, row: Any, query: str) -> None:
    """A row that still holds what was written back needs no second look: it was not resubmitted.

    :param earlier: the newest generation, complete
    :param query: which query showed the row (:attr:`~runtime.engine.context.Origin.query`)
    :raises Skipped: it still holds it; the query does not leave out what is delivered
    """
    if _created_something(earlier) and not _left(earlier, query):
        for wrote in _write_backs(earlier):
            _refuse_unchanged(wrote, row)


def refuse_repetition(earlier: Delivery, row: Any, query: str) -> None:
    """Before a new generation: has the document been reset since its delivery?

    :param earlier: the newest generation, complete
    :param row: the document as it is now; it still is what the query asks for
    :param query: which query that is (:attr:`~runtime.engine.context.Origin.query`)
    :raises Skipped: no, or nobody can tell; the query does not leave out what is delivered
    """
    if not _created_something(earlier) or _left(earlier, query):
        return
    write_backs = _write_backs(earlier)
    if not write_backs:
        raise Skipped(
            "该单据已送达，但流程没有回写记录，无法判断是否重新提交；查询条件没有排除已送达的单据",
            "Already delivered, and the flow wrote nothing back that would show a resubmission; "
            "the query does not exclude delivered documents",
            warning=True,
        )
    if not any(_comparable(wrote, row) for wrote in write_backs):
        names = ", ".join(dict.fromkeys(name for wrote in write_backs for name in wrote))
        raise Skipped(
            f"该单据已送达，而查询没有读取回写的字段（{names}），无法判断是否重新提交；"
            "查询条件没有排除已送达的单据，或需要读取这些字段",
            f"Already delivered, and the query does not read the fields that were written back ({names}): it does not "
            "exclude delivered documents, or it has to read these fields",
            warning=True,
        )
    for wrote in write_backs:
        _refuse_unchanged(wrote, row)


def _left(earlier: Delivery, query: str) -> bool:
    """Whether this very query left the document out meanwhile: shown again, it was reset. Another proves nothing."""
    return bool(query) and earlier.left_source == query


def _comparable(wrote: Mapping[str, Any], row: Any) -> dict[str, Any]:
    return {name: value for name, value in wrote.items() if isinstance(row, Mapping) and name in row}


def _refuse_unchanged(wrote: Mapping[str, Any], row: Any) -> None:
    comparable = _comparable(wrote, row)
    if comparable and all(_same(value, row[name]) for name, value in comparable.items()):
        raise Skipped(
            f"该单据已送达，仍保留着回写的值（{', '.join(comparable)}）；查询条件没有排除已送达的单据",
            f"Already delivered, and it still holds what was written back ({', '.join(comparable)}); "
            "the query does not exclude delivered documents",
            warning=True,
        )


def _write_backs(delivery: Delivery) -> list[dict[str, Any]]:
    """The fields that the delivery wrote into its own document, as far as can be told which of its updates did.

    Rows of a statement name a table, their write-back an entity set of another connection: where the same key was
    written in several places, each of them may be the document.
    """
    updates = [
        one
        for one in delivery.effects.values()
        if one.effect == Effect.UPDATE
        and one.state is EffectState.DONE
        and isinstance(one.request, Mapping)
        and one.request.get("values")
    ]
    best = max((_nearness(one, delivery) for one in updates), default=None)
    fields: dict[tuple[str, Any], dict[str, Any]] = {}
    for one in sorted(updates, key=lambda one: one.started_at):
        if _nearness(one, delivery) == best:
            fields.setdefault((one.connection, one.request.get("entity")), {}).update(one.request["values"])
    return list(fields.values())


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
    # A date goes in as 2026-01-31 and may come back as 2026-01-31T00:00:00Z.
    return _date(first) is not None and _date(first) == _date(second)


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


def _date(value: Any) -> str | None:
    """The date that a text begins with."""
    if not isinstance(value, str) or len(value) < 10:
        return None
    parts = value[:10].replace("/", "-").split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not all(part.isdecimal() for part in parts):
        return None
    return "-".join(parts)
