"""What is asked about an approval before a person's word for it is recorded, and what is made of the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.connectors.weaver.actions import GetApproval
from runtime.engine.confirming import confirm_created
from runtime.errors import Refused, RemoteRefused, Unconfirmed
from runtime.store.columns import utc_now
from runtime.store.ledger import DeliveryState, EffectRecord, EffectState, save


@pytest.fixture
def ask(bench: Any) -> Any:
    """``await ask(answer, …)``: what ``get_approval`` is asked, in a list."""

    async def confirm(
        answer: Any, created: Any = "12", *, action: str = "create_approval", **request: Any
    ) -> list[Any]:
        lost = EffectRecord(
            step="approval", effect="create", state=EffectState.UNKNOWN, connection="oa-1", action=action, digest="d",
            request=request or None, started_at=utc_now(),
        )  # fmt: skip
        row = {
            "mapping": "demo", "flow": "submit", "source": "b1/Drafts", "document_key": "1", "generation": 1,
            "document": 1, "state": DeliveryState.UNKNOWN, "connection": "oa-1",
        }  # fmt: skip
        number = bench.db.write(lambda connection: save(connection, row, [lost]))
        asked: list[Any] = []

        async def get(params: GetApproval) -> Any:
            asked.append(params)
            if isinstance(answer, Exception):
                raise answer
            return answer

        actions = bench.pool.connectors["oa-1"].actions
        if answer is None:
            del actions["get_approval"]
        else:
            actions["get_approval"] = replace(actions["get_approval"], params=GetApproval, run=get)
        await confirm_created(bench.db, bench.pool, number, created)
        return asked

    return confirm


async def test_what_is_no_approval_is_not_asked_about(ask: Any) -> None:
    assert await ask({}, action="comment") == []


async def test_where_approvals_cannot_be_read_nothing_is_asked(ask: Any) -> None:
    assert await ask(None, {"number": 7}) == []


async def test_an_approval_is_looked_at_with_the_eyes_of_its_applicant(ask: Any) -> None:
    shown = {"instance_id": "12", "form": "45"}
    [asked] = await ask(shown, " 12 ", form=45, originator=15)
    assert (asked.instance_id, asked.user) == ("12", "15")


@pytest.mark.parametrize(
    ("answer", "created", "words"),
    [
        ({}, "A12", "does not show an approval with the id A12"),
        (RemoteRefused("拒绝", "refused", code="7", remote="NO_PERMISSION"), "12", r"\(refused\).*7 NO_PERMISSION"),
        ({"form": "46"}, "12", r"another form \(46\)"),
        ({"instance_id": "12"}, "012", "writes the id of this approval 12, not 012"),
        ({}, {"number": 12}, "holds no instance_id"),
    ],
)
async def test_what_the_approval_system_does_not_confirm(ask: Any, answer: Any, created: Any, words: str) -> None:
    with pytest.raises(Unconfirmed, match=words):
        await ask(answer, created, form="45")


async def test_what_the_ledger_forbids_is_said_before_anybody_is_asked(bench: Any) -> None:
    with pytest.raises(Refused, match="no such delivery"):
        await confirm_created(bench.db, bench.pool, 999, "12")
