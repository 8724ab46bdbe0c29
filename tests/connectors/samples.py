"""What the tests of every kind of connection have to know about each: see :class:`Sample`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from runtime.connectors.actions import Action, Effect
from runtime.connectors.base import Connector
from runtime.connectors.events import Outcome
from runtime.connectors.registry import connector_kinds
from runtime.mapping.forms import Control
from runtime.mapping.mapper import MappedForm

SECRET = "S3cret-that-must-not-show"
KINDS = sorted(connector_kinds())


@dataclass(frozen=True)
class Sample:
    """What the suite has to know about one kind."""

    #: Answers of the calls that open a session, by path.
    login: Mapping[str, Mapping[str, Any]]
    #: Parameters for each action that creates something.
    creates: Mapping[str, Mapping[str, Any]]
    #: Cookies that a login sets.
    cookies: Mapping[str, str] = field(default_factory=dict)
    #: Settings that cannot be made up, by the address of the other system.
    settings: Callable[[str], Mapping[str, Any]] = lambda base_url: {}
    #: Answers, by path, about approval ``i-1`` of form ``FORM`` by how it ended (None = open), where it can be asked.
    verdicts: Mapping[Outcome | None, Mapping[str, Any]] = field(default_factory=dict)


def weaver_request(status: str) -> Mapping[str, Any]:
    return {"/api/workflow/paService/getWorkflowRequest": {"code": "SUCCESS", "data": {"status": status}}}


def weaver_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


WEAVER = {"secret": SECRET, "spk": weaver_key(), "user_id": "1", "outcome_source": "status"}


def dingtalk_detail(status: str, result: str) -> Mapping[str, Any]:
    return {"/v1.0/workflow/processInstances": {"result": {"status": status, "result": result, "title": "t"}}}


def wecom_detail(status: int) -> Mapping[str, Any]:
    return {"/cgi-bin/oa/getapprovaldetail": {"errcode": 0, "info": {"sp_no": "i-1", "sp_status": status}}}


SAMPLES = {
    "b1.service_layer": Sample(
        login={"/b1s/v1/Login": {"SessionId": "s-1", "Version": "1000280", "SessionTimeout": 30}},
        cookies={"B1SESSION": "s-1", "ROUTEID": ".node1"},
        creates={
            "create": {"entity": "Orders", "values": {"CardCode": "C1"}, "match": "NumAtCard eq '1'"},
            "action": {"entity": "Orders", "key": 1, "name": "Close"},
            "save_draft": {"draft": 1},
        },
    ),
    "b1.di_api": Sample(login={"/b1dis/v1/Login": {"SessionId": "s-1"}}, cookies={"B1DISESSION": "s-1"}, creates={}),
    "sql": Sample(
        login={},
        creates={},
        settings=lambda base_url: {
            "url": f"postgresql+psycopg://{base_url.partition('//')[2]}",
            "user": "reader",
            "password": SECRET,
        },
    ),
    "dingtalk": Sample(
        login={"/v1.0/oauth2/accessToken": {"accessToken": "t-1", "expireIn": 7200}},
        creates={
            "create_approval": {"form": "P-1", "values": {"备注": "x"}, "originator": "u1", "department": -1},
            "comment": {"instance_id": "i-1", "text": "x", "user": "u1"},
        },
        verdicts={
            None: dingtalk_detail("RUNNING", ""),
            Outcome.AGREED: dingtalk_detail("COMPLETED", "agree"),
            Outcome.REFUSED: dingtalk_detail("COMPLETED", "refuse"),
            Outcome.WITHDRAWN: dingtalk_detail("TERMINATED", ""),
        },
    ),
    "wecom": Sample(
        login={"/cgi-bin/gettoken": {"errcode": 0, "access_token": "t-1", "expires_in": 7200}},
        creates={
            "create_approval": {
                "form": "T-1",
                "values": MappedForm({"备注": "x"}, {"备注": Control(id="Text-1", label="备注")}),
                "originator": "u1",
            },
        },
        verdicts={
            None: wecom_detail(1),
            Outcome.AGREED: wecom_detail(2),
            Outcome.REFUSED: wecom_detail(3),
            Outcome.WITHDRAWN: wecom_detail(4),
        },
    ),
    "weaver": Sample(
        login={"/api/ec/dev/auth/applytoken": {"code": 0, "token": "t-1", "status": True}},
        settings=lambda _: WEAVER,
        creates={"create_approval": {"form": "45", "values": {"bz": "x"}, "title": "x", "originator": "15"}},
        verdicts={
            None: weaver_request("创建 至 审批"),
            Outcome.AGREED: weaver_request("同意"),
            Outcome.REFUSED: weaver_request("拒绝"),
            Outcome.WITHDRAWN: weaver_request("撤回"),
        },
    ),
}


def required_settings(kind: type[Connector[Any]], base_url: str) -> dict[str, Any]:
    """The least that a kind can be opened with."""
    model = kind.settings_model
    document = dict(SAMPLES[kind.kind].settings(base_url))
    if kind.over_http:
        document["base_url"] = base_url
    for name, info in model.model_fields.items():
        if name in document or not info.is_required():
            continue
        annotation = info.annotation
        if annotation is SecretStr:
            document[name] = SECRET
        elif annotation in (int, float):
            document[name] = 1
        elif get_origin(annotation) is Literal:
            document[name] = get_args(annotation)[0]
        else:
            document[name] = "sample"
    return document


#: For tests of what happens on HTTP: leaves out the kinds that do not speak it.
over_http = pytest.mark.parametrize(
    "kind", [name for name, kind in sorted(connector_kinds().items()) if kind.over_http], indirect=True
)
Open = Callable[..., Connector[Any]]


def create_actions(connector: Connector[Any]) -> list[Action]:
    return [action for action in connector.actions.values() if action.effect is Effect.CREATE]
