"""A person says which approval a lost ``create`` made: the approval system is asked whether it knows that one.

An id that is recorded wrongly marks the document, never gets a verdict, and cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from runtime.connectors.actions import Action, Effect
from runtime.engine.pool import Pool
from runtime.errors import FixData, FixSetup, IntegrationError, RetryLater, Unconfirmed
from runtime.store.database import Database
from runtime.store.ledger import EffectRecord
from runtime.store.overlap import APPROVAL
from runtime.store.resolution import check_created

__all__ = ["confirm_created"]

_READ = "get_approval"


async def confirm_created(
    db: Database, pool: Pool, delivery_id: int, created: str | Mapping[str, Any], *, step: str | None = None
) -> None:
    """Before :func:`~runtime.store.resolution.resolve_created`, with the same arguments. Nothing is changed.

    Only approvals are asked about, and only where the connection can read them.

    :raises Unconfirmed: the approval system does not show such an approval, shows one of another form, or cannot be
        asked now
    :raises Refused: there is nothing to decide, or this id is recorded for another document
    """
    _, effect, result = await db.aread(partial(check_created, delivery_id=delivery_id, created=created, step=step))
    if effect.action != APPROVAL:
        return
    instance = str(result.get("instance_id") or "")
    try:
        async with pool.lease() as lease:
            action = (await lease.get(effect.connection)).actions.get(_READ)
            if action is None or action.effect is not Effect.READ:
                return
            approval = await action.run(_question(action, effect, instance))
    except (FixData, ValidationError) as error:
        raise _unseen(effect, instance, error) from error
    except (RetryLater, FixSetup) as error:
        raise _unasked(effect, instance, error) from error
    _compare(effect, instance, approval)


def _question(action: Action, effect: EffectRecord, instance: str) -> Any:
    if not instance:
        raise Unconfirmed(
            "给出的内容中没有审批编号 instance_id，没有记录；审批结论靠它找到单据",
            "What was given holds no instance_id; nothing is recorded: the verdict finds the document by it",
        )
    values = {"instance_id": instance}
    applicant = effect.request.get("originator") if isinstance(effect.request, Mapping) else None
    if applicant and "user" in action.params.model_fields:
        # Where it depends on who looks, the applicant certainly sees it.
        values["user"] = applicant
    return action.params.model_validate(values)


def _unseen(effect: EffectRecord, instance: str, error: FixData | ValidationError) -> Unconfirmed:
    told = error if isinstance(error, IntegrationError) else None
    why_zh, why_en = (f"（{told.zh}）", f" ({told.en})") if told else ("", "")
    return Unconfirmed(
        f"连接 {effect.connection} 中看不到编号为 {instance} 的审批{why_zh}，没有记录；请核对编号",
        f"The connection {effect.connection} does not show an approval with the id {instance}{why_en}; "
        "nothing is recorded: check the id",
        code=told.code if told else "",
        remote=told.remote if told else "",
    )


def _unasked(effect: EffectRecord, instance: str, error: RetryLater | FixSetup) -> Unconfirmed:
    words = " ".join(part for part in (error.code, error.remote) if part)
    why_zh = error.zh + (f"；{error.remote_zh}：{words}" if words else "")
    why_en = error.en + (f"; {error.remote_en}: {words}" if words else "")
    later = isinstance(error, RetryLater)
    return Unconfirmed(
        f"现在无法向连接 {effect.connection} 核实审批 {instance}（{why_zh}），没有记录；"
        + ("请稍后再试" if later else "请先解决这个问题"),
        f"The connection {effect.connection} cannot be asked about the approval {instance} now ({why_en}); "
        "nothing is recorded: " + ("try again later" if later else "settle that first"),
        where=error.where,
    )


def _compare(effect: EffectRecord, instance: str, approval: Any) -> None:
    """Whether what the approval system shows can be what was sent: its form and its id as it writes them itself."""
    shown = approval if isinstance(approval, Mapping) else {}
    form = str(shown.get("form") or "")
    wanted = str((effect.request.get("form") if isinstance(effect.request, Mapping) else "") or "")
    if form and wanted and form != wanted:
        raise Unconfirmed(
            f"{instance} 是另一个表单（{form}）的审批，这张单据发往的是 {wanted}，没有记录；请核对编号",
            f"{instance} is an approval of another form ({form}), this document was sent to {wanted}; "
            "nothing is recorded: check the id",
        )
    number = str(shown.get("instance_id") or instance)
    if number != instance:
        raise Unconfirmed(
            f"连接 {effect.connection} 中这个审批的编号写作 {number}，不是 {instance}，没有记录；请核对编号",
            f"The connection {effect.connection} writes the id of this approval {number}, not {instance}; "
            "nothing is recorded: check the id",
        )
