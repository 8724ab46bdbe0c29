"""The Service Layer connection: settings, test, actions, catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from runtime.connectors.actions import Action, Effect
from runtime.connectors.b1_service_layer import actions as params
from runtime.connectors.b1_service_layer.approvals import Approvals
from runtime.connectors.b1_service_layer.attachments import Attachments
from runtime.connectors.b1_service_layer.catalog import B1Catalog
from runtime.connectors.b1_service_layer.client import ServiceLayer
from runtime.connectors.b1_service_layer.examining import DIALECT, examine_query, examine_sql
from runtime.connectors.b1_service_layer.reading import Reading
from runtime.connectors.b1_service_layer.settings import B1Settings
from runtime.connectors.b1_service_layer.trial import try_connection
from runtime.connectors.b1_service_layer.writing import Writing
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.catalog import Catalog
from runtime.connectors.settings import ConnectorSettings
from runtime.connectors.statements.params import ExecSql

__all__ = ["ServiceLayerConnector"]


class ServiceLayerConnector(Connector[B1Settings]):
    """One company of SAP Business One, over its Service Layer."""

    kind: ClassVar[str] = "b1.service_layer"
    title_zh: ClassVar[str] = "SAP Business One（服务层）"
    title_en: ClassVar[str] = "SAP Business One (Service Layer)"
    settings_model: ClassVar[type[ConnectorSettings]] = B1Settings

    def __init__(self, name: str, settings: B1Settings) -> None:
        self._client = ServiceLayer(name, settings)
        self._catalog = B1Catalog(self._client)
        self._reading = Reading(self._client, self._catalog)
        self._attachments = Attachments(self._client)
        self._writing = Writing(self._client, self._reading)
        self._approvals = Approvals(self._client, self._reading, self._writing)
        super().__init__(name, settings)

    def define_actions(self) -> Sequence[Action]:
        """Reading, writing, and B1's approval procedure."""
        return (*self._reads(), *self._writes(), *self._approval_actions())

    async def test(self) -> TestReport:
        """Log in, read the version, and read one row.

        :raises BadConnection: no Service Layer at the address, or its certificate is not trusted
        :raises LoginRefused: company, user or password are wrong
        :raises Unreachable: nobody answers there
        """
        return await try_connection(self._client)

    @property
    def identity(self) -> str:
        """The company's data base."""
        return self._client.settings.company.upper()

    @property
    def dialect(self) -> str:
        """That of the SQLQueries."""
        return DIALECT

    def catalog(self) -> Catalog:
        """Entity sets and fields of the company."""
        return self._catalog

    async def aclose(self) -> None:
        """Log out and close the connections."""
        await self._client.aclose()

    def _reads(self) -> Sequence[Action]:
        read = self._reading
        return (
            Action(
                name="query",
                effect=Effect.READ,
                params=params.Query,
                zh="查询记录",
                en="query rows",
                run=read.query,
                streams=True,
                reread=read.reread,
                examine=examine_query,
            ),
            Action(
                name="exec_sql",
                effect=Effect.READ,
                params=ExecSql,
                zh="执行一条 SQL 查询（SQLQueries）",
                en="run one SQL query (SQLQueries)",
                run=read.exec_sql,
                examine=examine_sql,
            ),
            Action(
                name="find", effect=Effect.READ, params=params.Find, zh="查找一条记录", en="find a row", run=read.find
            ),
            Action(name="get", effect=Effect.READ, params=params.Get, zh="读取记录", en="get a row", run=read.get),
            Action(name="count", effect=Effect.READ, params=params.Count, zh="记录数", en="count rows", run=read.count),
            Action(
                name="attachment",
                effect=Effect.READ,
                params=params.Attachment,
                zh="附件中的文件",
                en="files of an attachment",
                run=self._attachments.files,
            ),
        )

    def _writes(self) -> Sequence[Action]:
        write = self._writing
        return (
            Action(
                name="create",
                effect=Effect.CREATE,
                params=params.Create,
                zh="新建记录",
                en="create a row",
                run=write.create,
                prepare=write.prepare_create,
                reconcile=write.reconcile_create,
            ),
            Action(
                name="update",
                effect=Effect.UPDATE,
                params=params.Update,
                zh="更新记录",
                en="update a row",
                run=write.update,
                prepare=write.prepare_update,
                read_back=write.read_back,
            ),
            Action(
                name="upsert",
                effect=Effect.UPDATE,
                params=params.Upsert,
                zh="新建或更新记录",
                en="create or update a row",
                run=write.upsert,
                prepare=write.prepare_upsert,
                read_back=write.read_back,
            ),
            Action(
                name="action",
                effect=Effect.CREATE,
                params=params.ActionCall,
                zh="执行记录的操作",
                en="call an action of a row",
                run=write.action,
                prepare=write.prepare_action,
                reconcile=write.reconcile_action,
            ),
        )

    def _approval_actions(self) -> Sequence[Action]:
        approvals = self._approvals
        return (
            Action(
                name="decide",
                effect=Effect.UPDATE,
                params=params.Decide,
                zh="审批草稿",
                en="decide a draft's approval",
                run=approvals.decide,
                prepare=approvals.prepare_decide,
            ),
            Action(
                name="save_draft",
                effect=Effect.CREATE,
                params=params.SaveDraft,
                zh="草稿转正式单据",
                en="add a draft as a document",
                run=approvals.save,
                prepare=approvals.prepare_save,
                reconcile=approvals.reconcile_save,
            ),
        )
