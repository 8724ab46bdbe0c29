"""What B1 and the OA hold, compared: the promise kept or broken. Pure: it asks nobody anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Approval", "Audit", "Demand", "Draft", "Tally", "audit"]

#: How B1's approval request stands after each outcome.
_DECISION = {"agreed": "arsApproved", "refused": "arsNotApproved", "withdrawn": "arsNotApproved"}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A draft as B1 holds it."""

    key: str
    #: ``Y`` once it was sent for approval, and the approval that it says is its own.
    mark: str
    instance: str
    #: Outcome that was written into its own field, or empty.
    status: str
    #: Status of B1's approval request for it.
    decision: str


@dataclass(frozen=True, kw_only=True)
class Approval:
    """An approval as the OA holds it."""

    instance: str
    #: Key of the document that it was made from.
    document: str
    #: ``agreed``, ``refused``, ``withdrawn``; empty while nobody has decided.
    outcome: str


@dataclass(kw_only=True)
class Tally:
    """What was done to the runtime."""

    #: Kills at each named point, by the runtime's own hand.
    at_points: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: Kills from outside at random moments.
    at_random: int = 0

    @property
    def kills(self) -> int:
        """Both kinds together."""
        return sum(self.at_points.values()) + self.at_random


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Below this an audit proves nothing."""

    documents: int
    kills: int
    #: Each of these must have killed the runtime at least once.
    points: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The result; each broken promise as a sentence."""

    documents: int
    verdicts: int
    #: Approvals beyond the first one of a document, or of no document that B1 knows.
    duplicates: Sequence[str]
    #: Documents that never reached the OA, and verdicts that are not in B1.
    lost: Sequence[str]
    #: Drafts that do not name their own approval.
    unmarked: Sequence[str]
    #: Approvals that are still open: their verdicts could not be judged.
    undecided: Sequence[str]
    #: What the campaign did not do and should have done.
    shortfalls: Sequence[str]

    @property
    def violations(self) -> list[str]:
        """Every broken promise."""
        return [*self.duplicates, *self.lost, *self.unmarked]

    @property
    def settled(self) -> bool:
        """Whether every document has come to its end, and in good order."""
        return not self.violations and not self.undecided

    @property
    def passed(self) -> bool:
        """Whether the promise was kept, under enough fire for that to mean something."""
        return self.settled and not self.shortfalls


def audit(drafts: Sequence[Draft], approvals: Sequence[Approval], tally: Tally, demand: Demand) -> Audit:
    """Compare both worlds, document by document."""
    known = {draft.key for draft in drafts}
    of_document: defaultdict[str, list[Approval]] = defaultdict(list)
    for approval in approvals:
        of_document[approval.document].append(approval)
    duplicates, lost, unmarked = [], [], []
    for document, found in of_document.items():
        if document not in known:
            duplicates.append(f"approvals {_ids(found)} belong to no draft ({document or 'no key'})")
        elif len(found) > 1:
            duplicates.append(f"draft {document} has {len(found)} approvals: {_ids(found)}")
    for draft in drafts:
        own = of_document.get(draft.key, [])
        if not own:
            lost.append(f"draft {draft.key} never became an approval")
        if draft.mark != "Y" or draft.instance not in {approval.instance for approval in own}:
            said = f"mark {draft.mark or '-'}, approval {draft.instance or '-'}"
            unmarked.append(f"draft {draft.key} does not name its approval {_ids(own) or '-'}: {said}")
        for approval in own:
            if approval.outcome and (draft.status, draft.decision) != (approval.outcome, _DECISION[approval.outcome]):
                said = f"{draft.status or '-'}, {draft.decision or '-'}"
                lost.append(f"draft {draft.key}: approval {approval.instance} is {approval.outcome}, B1 says {said}")
            if not approval.outcome and draft.status:
                lost.append(f"draft {draft.key}: B1 says {draft.status}, nobody decided {approval.instance}")
    verdicts = sum(1 for approval in approvals if approval.outcome)
    return Audit(
        documents=len(drafts),
        verdicts=verdicts,
        duplicates=duplicates,
        lost=lost,
        unmarked=unmarked,
        undecided=[f"approval {approval.instance} is open" for approval in approvals if not approval.outcome],
        shortfalls=_shortfalls(
            {"documents": len(drafts), "verdicts": verdicts, "kills": tally.kills}, tally.at_points, demand
        ),
    )


def _shortfalls(done: Mapping[str, int], at_points: Mapping[str, int], demand: Demand) -> list[str]:
    wanted = {"documents": demand.documents, "verdicts": demand.documents, "kills": demand.kills}
    short = [
        f"{done[name]} {name}, at least {least} were to be seen"
        for name, least in wanted.items()
        if done[name] < max(least, 1)
    ]
    return short + [f"never killed at {point}" for point in demand.points if not at_points.get(point)]


def _ids(approvals: Sequence[Approval]) -> str:
    return ", ".join(approval.instance for approval in approvals)
