"""The e-cology connection: its actions and its forms tied together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from runtime.connectors.actions import Action, Effect
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.events import Event
from runtime.connectors.settings import ConnectorSettings
from runtime.connectors.weaver.actions import CreateApproval, GetApproval, ListModeData, SaveModeData
from runtime.connectors.weaver.answers import data_of
from runtime.connectors.weaver.approvals import finished_event
from runtime.connectors.weaver.client import WeaverClient
from runtime.connectors.weaver.forms import parse_form
from runtime.connectors.weaver.instances import Instances
from runtime.connectors.weaver.mode import ModeData
from runtime.connectors.weaver.settings import WeaverSettings
from runtime.mapping.forms import Form

__all__ = ["WeaverConnector"]

_SERVICE = "/api/workflow/paService/"


class WeaverConnector(Connector[WeaverSettings]):
    """One application on one e-cology server.

    It sends no callbacks of a fixed shape: its node actions call an HTTP flow.
    """

    kind: ClassVar[str] = "weaver"
    title_zh: ClassVar[str] = "泛微 e-cology"
    title_en: ClassVar[str] = "Weaver e-cology"
    settings_model: ClassVar[type[ConnectorSettings]] = WeaverSettings
    has_forms: ClassVar[bool] = True
    has_polling: ClassVar[bool] = True
    has_registration: ClassVar[bool] = True

    def __init__(self, name: str, settings: WeaverSettings) -> None:
        self._client = WeaverClient(name, settings)
        self._instances = Instances(self._client, settings)
        self._mode = ModeData(self._client, settings)
        super().__init__(name, settings)

    def define_actions(self) -> Sequence[Action]:
        """Start and read requests, save and read mode data."""
        return (
            Action(
                name="create_approval",
                effect=Effect.CREATE,
                params=CreateApproval,
                zh="发起流程",
                en="Start a request",
                run=self._instances.create,
                prepare=self._instances.prepare_create,
                reconcile=self._instances.reconcile_create,
            ),
            Action(
                name="get_approval",
                effect=Effect.READ,
                params=GetApproval,
                zh="读取流程",
                en="Read a request",
                run=self._instances.get,
            ),
            Action(
                name="save_mode_data",
                effect=Effect.UPDATE,
                params=SaveModeData,
                zh="保存建模数据",
                en="Save mode data",
                run=self._mode.save,
                prepare=self._mode.prepare_save,
                promise=self._mode.promise,
            ),
            Action(
                name="list_mode_data",
                effect=Effect.READ,
                params=ListModeData,
                zh="查询建模数据",
                en="List mode data",
                run=self._mode.read,
                streams=True,
            ),
        )

    async def test(self) -> TestReport:
        """Fetch a token, and ask as the default user which workflows may be started."""
        await self._client.token()
        lines = [("appid、secret 和 spk 正确，已取得令牌", "appid, secret and spk are right, got a token")]
        user = self.settings.user_id
        if user:
            listed = data_of(await self._client.call("POST", f"{_SERVICE}getCreateWorkflowList", form={}))
            count = len(listed) if isinstance(listed, list) else 0
            lines.append((f"用户 {user} 可以发起 {count} 个流程", f"user {user} may start {count} workflows"))
        else:
            lines.append(("未填写默认 OA 用户", "no default OA user is given"))
        if self.settings.mode_system and self.settings.mode_password.get_secret_value():
            lines.append(
                ("已填写建模接口的账号，调用时验证", "an account for mode data is given; it is checked when used")
            )
        return TestReport(lines=lines)

    async def register(self) -> Mapping[str, str]:
        """See :class:`~runtime.connectors.base.Connector` and :meth:`.client.WeaverClient.register`."""
        return await self._client.register()

    @property
    def is_registered(self) -> bool:
        """Whether secret and public key are known."""
        return bool(self.settings.secret.get_secret_value() and self.settings.spk)

    async def aclose(self) -> None:
        """Close the pooled HTTP connections."""
        await self._client.aclose()

    async def fetch_form(self, code: str) -> Form:
        """The fields of a workflow (e-cology 9, 流程接口 getCreateWorkflowRequestInfo).

        :raises FormGone: no such workflow, or the default user may not start it
        """
        path = f"{_SERVICE}getCreateWorkflowRequestInfo"
        return parse_form(code, await self._client.call("GET", path, params={"workflowId": code}))

    @property
    def tells_outcomes(self) -> bool:
        """Whether the settings say where a request shows how it ended."""
        return self.settings.outcome_source != "none"

    async def poll_event(self, instance_id: str, form: str) -> Event | None:
        """See :class:`~runtime.connectors.base.Connector`; None as long as the settings do not tell the outcome."""
        return finished_event(await self._instances.read(instance_id), form)
