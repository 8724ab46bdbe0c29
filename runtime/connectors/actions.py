"""What a connection can do: its actions, their declared effect, and what became of one whose answer never came."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from runtime.mapping.problems import Problem

__all__ = ["Action", "ActionParams", "Effect", "Finding", "Intent", "Reconciliation", "WireRequest", "rows"]


class Effect(StrEnum):
    """What calling an action may change in the other system."""

    READ = "read"
    #: Changes something, and is safe to repeat.
    UPDATE = "update"
    #: Makes something new at every call: not safe to repeat.
    CREATE = "create"


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


async def rows(items: Sequence[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """A stream over rows that are already here."""
    for item in items:
        yield item
