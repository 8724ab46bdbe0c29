"""The WeCom connection: its actions, its templates and its callback tied together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from runtime.connectors.actions import Action, Effect
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.events import CallbackRequest, Event, Received
from runtime.connectors.settings import ConnectorSettings
from runtime.connectors.wecom.actions import CreateApproval, FindUser, GetApproval, ListApprovals, UploadAttachment
from runtime.connectors.wecom.approvals import Status
from runtime.connectors.wecom.callback import finished_event, receive
from runtime.connectors.wecom.client import NO_RIGHT, WeComClient
from runtime.connectors.wecom.directory import Directory
from runtime.connectors.wecom.instances import Instances
from runtime.connectors.wecom.settings import WeComSettings
from runtime.connectors.wecom.uploads import Uploads
from runtime.errors import FormGone, NotFound, RemoteRefused
from runtime.mapping.forms import Form

__all__ = ["WeComConnector"]


class WeComConnector(Connector[WeComSettings]):
    """One WeCom application."""

    kind: ClassVar[str] = "wecom"
    title_zh: ClassVar[str] = "企业微信"
    title_en: ClassVar[str] = "WeCom"
    settings_model: ClassVar[type[ConnectorSettings]] = WeComSettings
    has_forms: ClassVar[bool] = True
    has_callback: ClassVar[bool] = True
    has_polling: ClassVar[bool] = True

    def __init__(self, name: str, settings: WeComSettings) -> None:
        self._client = WeComClient(name, settings)
        self._instances = Instances(self._client, settings)
        self._directory = Directory(self._client)
        self._uploads = Uploads(self._client)
        super().__init__(name, settings)

    def define_actions(self) -> Sequence[Action]:
        """Submit, read and list approvals, look members up, upload files."""
        instances = self._instances
        return (
            Action(
                name="create_approval",
                effect=Effect.CREATE,
                params=CreateApproval,
                zh="发起审批",
                en="Start an approval",
                run=instances.create,
                prepare=instances.prepare_create,
                reconcile=instances.reconcile_create,
            ),
            Action(
                name="get_approval",
                effect=Effect.READ,
                params=GetApproval,
                zh="读取审批单",
                en="Read an approval",
                run=instances.get,
            ),
            Action(
                name="list_approvals",
                effect=Effect.READ,
                params=ListApprovals,
                zh="查询审批单编号",
                en="List the ids of approvals",
                run=instances.list_ids,
            ),
            Action(
                name="find_user",
                effect=Effect.READ,
                params=FindUser,
                zh="查找成员",
                en="Find a member",
                run=self._directory.find_user,
            ),
            Action(
                name="upload_attachment",
                effect=Effect.UPDATE,
                params=UploadAttachment,
                zh="上传附件",
                en="Upload attachments",
                run=self._uploads.upload,
                prepare=self._uploads.prepare,
                promise=self._uploads.promise,
            ),
        )

    async def test(self) -> TestReport:
        """Fetch a token, and ask for a template that cannot exist: only an app with the right to read them may ask."""
        await self._client.token()
        lines = [("企业 ID 和 Secret 正确，已取得令牌", "CorpID and secret are right, got a token")]
        try:
            await self.fetch_form("CONNECTION-TEST")
        except (FormGone, RemoteRefused) as error:
            if error.code == NO_RIGHT:
                raise
        lines.append(("应用有审批接口的权限", "the app may use the approval calls"))
        if self.settings.aes_key.get_secret_value() and self.settings.token.get_secret_value():
            lines.append(("已配置回调的 EncodingAESKey 和 Token", "aes_key and token for event callbacks are set"))
        else:
            lines.append(
                (
                    "未配置 EncodingAESKey 和 Token：收不到审批结果回调",
                    "without aes_key and token no verdict can be received",
                )
            )
        return TestReport(lines=lines)

    async def aclose(self) -> None:
        """Close the pooled HTTP connections."""
        await self._client.aclose()

    async def fetch_form(self, code: str) -> Form:
        """The controls of a template (WeCom developer centre, 获取审批模板详情).

        :raises FormGone: unknown template id, or the template was deleted
        :raises NotPermitted: the app may not use the approval calls
        """
        return await self._instances.form(code)

    def receive(self, request: CallbackRequest) -> Received:
        """See :func:`runtime.connectors.wecom.callback.receive`."""
        return receive(self.name, self.settings, request)

    async def poll_event(self, instance_id: str, form: str) -> Event | None:
        """See :class:`~runtime.connectors.base.Connector` (WeCom developer centre, 获取审批申请详情)."""
        approval = await self._instances.get(GetApproval(instance_id=instance_id))
        if approval["status"] == Status.DELETED.name:
            raise NotFound("审批单已删除", "The approval was deleted", where=instance_id)
        return finished_event(approval, form) if approval["outcome"] is not None else None
