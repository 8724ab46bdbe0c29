"""The DingTalk connection: its actions, its forms and its callback tied together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from runtime.connectors.actions import Action, Effect
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.dingtalk.actions import (
    Comment,
    CreateApproval,
    FindDepartment,
    FindUser,
    GetApproval,
    ListApprovals,
    TerminateApproval,
    UploadAttachment,
)
from runtime.connectors.dingtalk.callback import finished_event, receive
from runtime.connectors.dingtalk.client import DingTalkClient
from runtime.connectors.dingtalk.directory import Directory
from runtime.connectors.dingtalk.forms import parse_form
from runtime.connectors.dingtalk.instances import Instances
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.connectors.dingtalk.stream import DingTalkStream
from runtime.connectors.dingtalk.uploads import Uploads
from runtime.connectors.event_stream import EventStream
from runtime.connectors.events import CallbackRequest, Event, Received
from runtime.connectors.settings import ConnectorSettings
from runtime.errors import FormGone, RemoteRefused
from runtime.mapping.forms import Form

__all__ = ["DingTalkConnector"]

_SCHEMA = "/v1.0/workflow/forms/schemas/processCodes"


class DingTalkConnector(Connector[DingTalkSettings]):
    """One DingTalk application."""

    kind: ClassVar[str] = "dingtalk"
    title_zh: ClassVar[str] = "钉钉"
    title_en: ClassVar[str] = "DingTalk"
    settings_model: ClassVar[type[ConnectorSettings]] = DingTalkSettings
    has_forms: ClassVar[bool] = True
    has_callback: ClassVar[bool] = True
    has_stream: ClassVar[bool] = True
    has_polling: ClassVar[bool] = True

    def __init__(self, name: str, settings: DingTalkSettings) -> None:
        self._client = DingTalkClient(name, settings)
        self._directory = Directory(self._client)
        self._instances = Instances(self._client, self._directory, settings)
        self._uploads = Uploads(self._client, self._directory, settings)
        super().__init__(name, settings)

    def define_actions(self) -> Sequence[Action]:
        """Approvals from their start to their end, and what their controls need: people, departments, files."""
        return (*self._approval_actions(), *self._control_actions())

    def _control_actions(self) -> Sequence[Action]:
        return (
            Action(
                name="find_user",
                effect=Effect.READ,
                params=FindUser,
                zh="查找用户",
                en="Find a user",
                run=self._directory.find_user,
            ),
            Action(
                name="find_department",
                effect=Effect.READ,
                params=FindDepartment,
                zh="查找部门",
                en="Find a department",
                run=self._directory.find_department,
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

    def _approval_actions(self) -> Sequence[Action]:
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
                name="terminate_approval",
                effect=Effect.UPDATE,
                params=TerminateApproval,
                zh="撤销审批",
                en="Withdraw an approval",
                run=instances.terminate,
                prepare=instances.prepare_terminate,
            ),
            Action(
                name="comment",
                effect=Effect.CREATE,
                params=Comment,
                zh="添加审批评论",
                en="Comment on an approval",
                run=instances.comment,
                prepare=instances.prepare_comment,
                reconcile=instances.reconcile_comment,
            ),
        )

    async def test(self) -> TestReport:
        """Fetch a token, ask for a form that cannot exist (only an app with the right to read forms may ask), and in
        Stream mode for a ticket, which takes no events away from whoever is connected."""
        await self._client.token()
        lines = [("AppKey 和 AppSecret 正确，已取得令牌", "AppKey and AppSecret are right, got a token")]
        try:
            await self.fetch_form("PROC-CONNECTION-TEST")
        except (FormGone, RemoteRefused):
            lines.append(("应用有读取审批表单的权限", "the app may read approval forms"))
        if self.settings.event_mode == "stream":
            await self._client.open_gateway()
            lines.append(("Stream 模式可用：已取得连接凭证", "Stream mode works: got a ticket for a connection"))
        elif self.settings.aes_key.get_secret_value() and self.settings.token.get_secret_value():
            lines.append(
                (
                    "已填写 HTTP 推送的 aes_key 和 token；能否收到审批结果，请在“回调”页自测",
                    "aes_key and token for HTTP callbacks are set; the self-test on the Callbacks page tells whether "
                    "verdicts arrive",
                )
            )
        else:
            lines.append(
                (
                    "推送方式为 HTTP，而 aes_key 和 token 未填写：收不到审批结果",
                    "verdicts are to come over HTTP, but aes_key and token are not set: none can be received",
                )
            )
        return TestReport(lines=lines)

    async def aclose(self) -> None:
        """Close the pooled HTTP connections."""
        await self._client.aclose()

    async def fetch_form(self, code: str) -> Form:
        """The controls of a process (DingTalk open platform, 获取表单schema).

        :raises FormGone: unknown process code, or the form was deleted
        :raises NotPermitted: the app lacks the right to read forms
        """
        try:
            return parse_form(code, await self._client.call("GET", _SCHEMA, params={"processCode": code}))
        except FormGone as error:
            error.where = code
            raise

    def receive(self, request: CallbackRequest) -> Received:
        """See :func:`runtime.connectors.dingtalk.callback.receive`."""
        return receive(self.name, self.settings, request)

    def event_stream(self) -> EventStream | None:
        """See :class:`~runtime.connectors.dingtalk.stream.DingTalkStream`; None unless ``event_mode = stream``."""
        if self.settings.event_mode != "stream":
            return None
        return DingTalkStream(self.name, self._client, pause=self.settings.reconnect_after)

    async def poll_event(self, instance_id: str, form: str) -> Event | None:
        """See :class:`~runtime.connectors.base.Connector` (DingTalk open platform, 获取单个审批实例详情)."""
        approval = await self._instances.get(GetApproval(instance_id=instance_id))
        return finished_event(approval, form) if approval["outcome"] is not None else None
