"""Changing B1: create, update and bound actions. What is shown beforehand is exactly what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.connectors.actions import Effect, Finding, Intent, Reconciliation, WireRequest
from runtime.connectors.b1_service_layer.actions import ActionCall, Create, Find, Update, Upsert
from runtime.connectors.b1_service_layer.answers import Answer
from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.b1_service_layer.odata import conjunction, parse_key
from runtime.connectors.b1_service_layer.reading import Reading
from runtime.errors import FixData, IntegrationError, OutcomeUnknown, TimedOut

__all__ = ["Writing", "unclear"]


class Writing:
    """The actions that change a row or make a new one."""

    def __init__(self, client: ServiceLayer, reading: Reading) -> None:
        self._client = client
        self._reading = reading

    async def prepare_create(self, params: Create) -> WireRequest:
        """POST to the entity set."""
        return WireRequest(method="POST", url=self._client.url(params.entity), body=dict(params.values))

    async def create(self, params: Create) -> dict[str, Any]:
        """The new row as B1 answers it; only its key where B1 answers without content.

        :raises OutcomeUnknown: also where the row is there and its key cannot be told at the moment
        """
        answer = await self._client.write(await self.prepare_create(params), Effect.CREATE)
        if isinstance(answer.data, dict):
            return answer.data
        try:
            return await self._new_key(params.entity, answer)
        except IntegrationError as error:
            # Any other error would say that nothing was created.
            raise OutcomeUnknown(
                "B1 已创建记录，但暂时无法得知其主键",
                "B1 created the row, but its key cannot be told at the moment",
                where=f"{self._client.name} {params.entity}",
                code=error.code,
                remote=error.remote,
            ) from error

    async def reconcile_create(self, params: Create, intent: Intent) -> Reconciliation:
        """Look with ``match`` for the row that an unanswered attempt may have made."""
        if not params.match or not params.match.strip():
            return unclear("没有设置 match 条件，无法核实", "no match filter is set, so nobody can tell")
        return await self._matched(params.entity, params.match)

    async def prepare_update(self, params: Update) -> WireRequest:
        """PATCH of the row; ``If-Match`` and the replacing of collections as headers."""
        headers: dict[str, str] = {}
        if params.replace_collections:
            headers["B1S-ReplaceCollectionsOnPatch"] = "true"
        if params.etag:
            headers["If-Match"] = params.etag
        url = self._client.url(await self._reading.path(params.entity, params.key))
        return WireRequest(method="PATCH", url=url, body=dict(params.values), headers=headers)

    async def update(self, params: Update) -> None:
        """Send the changes; B1 answers without content.

        :raises NotFound: there is no such row
        :raises Conflict: the row is not the one that was read (only with ``etag``)
        """
        await self._client.write(await self.prepare_update(params), Effect.UPDATE)

    async def prepare_upsert(self, params: Upsert) -> WireRequest:
        """PATCH of the row if it is there now, else POST of a new one."""
        if await self._there(params):
            return await self.prepare_update(Update(entity=params.entity, key=params.key, values=params.values))
        key = params.key
        if not isinstance(key, dict):
            key = dict.fromkeys((await self._reading.key_names(params.entity))[:1], key)
        return WireRequest(
            method="POST", url=self._client.url(params.entity), body={**key, **params.create, **params.values}
        )

    async def upsert(self, params: Upsert) -> dict[str, Any]:
        """Change the row, or make it.

        :returns: ``{"created": True}`` if it was made
        :raises TimedOut: whether it was made is not known, or somebody else made it meanwhile: look again first
        """
        request = await self.prepare_upsert(params)
        if request.method == "PATCH":
            await self._client.write(request, Effect.UPDATE)
            return {"created": False}
        try:
            await self._client.write(request, Effect.CREATE)
        except (OutcomeUnknown, FixData) as error:
            if isinstance(error, FixData) and not await self._there(params):
                raise
            raise TimedOut(
                "记录可能刚刚已建立，稍后重新查看",
                "The row may just have been made; it is looked at again later",
                where=f"{self._client.name} {params.entity}",
                code=error.code,
                remote=error.remote,
            ) from error
        return {"created": True}

    async def _there(self, params: Upsert) -> bool:
        return await self._reading.find(Find(entity=params.entity, key=params.key)) is not None

    async def read_back(self, params: Update | Upsert) -> dict[str, Any] | None:
        """The fields of an update as the row holds them now, or None if there is no such row."""
        return await self._reading.find(Find(entity=params.entity, key=params.key, select=tuple(params.values)))

    async def prepare_action(self, params: ActionCall) -> WireRequest:
        """POST to the bound action."""
        path = await self._reading.path(params.entity, params.key)
        body = None if params.values is None else dict(params.values)
        return WireRequest(method="POST", url=self._client.url(f"{path}/{params.name}"), body=body)

    async def action(self, params: ActionCall) -> Any:
        """What the action answers, None for most."""
        return (await self._client.write(await self.prepare_action(params), Effect.CREATE)).data

    async def reconcile_action(self, params: ActionCall, intent: Intent) -> Reconciliation:
        """Look with ``match`` whether the row is already as the action leaves it."""
        if not params.match or not params.match.strip():
            return unclear("没有设置 match 条件，无法核实", "no match filter is set, so nobody can tell")
        condition = conjunction(await self._reading.key_condition(params.entity, params.key), params.match)
        found = await self._matched(params.entity, condition or "")
        return Reconciliation(finding=found.finding, reason_zh=found.reason_zh, reason_en=found.reason_en)

    async def _matched(self, entity: str, condition: str) -> Reconciliation:
        found = await self._reading.matching(entity, condition, limit=2)
        if len(found) > 1:
            return unclear("有多条记录符合 match 条件", "several rows fit the match filter")
        if found:
            return Reconciliation(finding=Finding.FOUND, result=found[0])
        return Reconciliation(finding=Finding.ABSENT)

    async def _new_key(self, entity: str, answer: Answer) -> dict[str, Any]:
        headers: Mapping[str, str] = answer.response.headers
        key = parse_key(headers.get("location") or headers.get("odata-entityid") or "")
        if key is None or isinstance(key, dict):
            return key or {}
        names = await self._reading.key_names(entity)
        return {names[0]: key} if len(names) == 1 else {}


def unclear(zh: str, en: str) -> Reconciliation:
    """A person has to look."""
    return Reconciliation(finding=Finding.UNCLEAR, reason_zh=zh, reason_en=en)
