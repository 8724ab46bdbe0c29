"""The demo company: fixed credentials, people and departments that B1, the approval systems and the tests agree on.

Nothing here is a secret: these values open the sandbox only, and the sandbox listens on loopback only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "ALL_PROCESS_CODE",
    "B1_COMPANY",
    "B1_CONNECTION",
    "B1_DI_CONNECTION",
    "B1_PASSWORD",
    "B1_SECOND_COMPANY",
    "B1_SECOND_CONNECTION",
    "B1_USER",
    "DEPARTMENTS",
    "DINGTALK_AES_KEY",
    "DINGTALK_APP_KEY",
    "DINGTALK_APP_SECRET",
    "DINGTALK_CONNECTION",
    "DINGTALK_CORP_ID",
    "DINGTALK_TOKEN",
    "HOST",
    "PORT",
    "PRICE_PROCESS_CODE",
    "PROCESS_CODE",
    "ROOT_DEPARTMENT",
    "USERS",
    "WEAVER_APPROVER",
    "WEAVER_APP_ID",
    "WEAVER_CONNECTION",
    "WEAVER_DEPARTMENTS",
    "WEAVER_MODE_PASSWORD",
    "WEAVER_MODE_SYSTEM",
    "WEAVER_USERS",
    "WEAVER_WORKFLOW",
    "WECOM_AES_KEY",
    "WECOM_AGENT_ID",
    "WECOM_ALL_TEMPLATE",
    "WECOM_CONNECTION",
    "WECOM_CORP_ID",
    "WECOM_SECRET",
    "WECOM_TEMPLATE",
    "WECOM_TOKEN",
    "Person",
    "connections",
]

HOST: Final = "127.0.0.1"
PORT: Final = 8765

B1_COMPANY: Final = "SBODEMOCN"
#: A second company with data of its own; the same users log in to it.
B1_SECOND_COMPANY: Final = "SBODEMO2"
B1_USER: Final = "manager"
B1_PASSWORD: Final = "manager"  # noqa: S105 - a fixed demo value, documented, opens nothing but the sandbox

DINGTALK_CORP_ID: Final = "dingdemo0000000000000000000000001"
DINGTALK_APP_KEY: Final = "ding-demo-key"
DINGTALK_APP_SECRET: Final = "ding-demo-secret"  # noqa: S105 - as above
#: Event subscription: 43 characters, base64 of the 32-byte AES key without its final "=".
DINGTALK_AES_KEY: Final = "ZGVtb2tleWRlbW9rZXlkZW1va2V5ZGVtb2tleTEyMzQ"
#: Event subscription: the token that signs (3-32 letters and digits).
DINGTALK_TOKEN: Final = "demotoken2026"  # noqa: S105 - as above

#: The purchase request form, a quotation with a table of prices, and one form that holds every type of control.
PROCESS_CODE: Final = "PROC-DEMO-PR"
PRICE_PROCESS_CODE: Final = "PROC-DEMO-PRICE"
ALL_PROCESS_CODE: Final = "PROC-DEMO-ALL"

WECOM_CORP_ID: Final = "wwdemo0000000001"
WECOM_SECRET: Final = "wecom-demo-secret"  # noqa: S105 - as above
WECOM_AGENT_ID: Final = 1000002
#: Receiving events: 43 characters, base64 of the 32-byte AES key without its final "=".
WECOM_AES_KEY: Final = "d2Vjb21kZW1va2V5d2Vjb21kZW1va2V5d2Vjb21kZW0"
#: Receiving events: the token that signs.
WECOM_TOKEN: Final = "wecomdemo2026"  # noqa: S105 - as above

#: The purchase request template, and one template that holds every type of control.
WECOM_TEMPLATE: Final = "3TkDemoPurchaseRequest"
WECOM_ALL_TEMPLATE: Final = "3TkDemoAllControls"

ROOT_DEPARTMENT: Final = -1
#: Department id -> name; the same ids stand in the drafts' ``U_BMID``.
DEPARTMENTS: Final[dict[int, str]] = {ROOT_DEPARTMENT: "演示工厂", 1001: "生产部", 1002: "采购部", 1003: "仓储部"}


@dataclass(frozen=True)
class Person:
    """An employee in DingTalk and WeCom; the same ids stand in the drafts' ``U_UserID`` and the users' fax field."""

    name: str
    department: int
    mobile: str


#: The designed flow of every demo form asks ``user-manager``.
USERS: Final[dict[str, Person]] = {
    "user-zhangsan": Person("张三", 1001, "13800000001"),
    "user-lisi": Person("李四", 1002, "13800000002"),
    "user-wangwu": Person("王五", 1003, "13800000003"),
    "user-manager": Person("陈经理", ROOT_DEPARTMENT, "13800000009"),
}
#: Who decides where a start names no approvers.
APPROVER: Final = "user-manager"

WEAVER_APP_ID: Final = "EEAA5436-7577-4BE0-8C6C-89E9D88805EA"
#: The purchase request workflow; its form is formtable_main_45.
WEAVER_WORKFLOW: Final = 45
#: The mode engine's login.
WEAVER_MODE_SYSTEM: Final = "erp"
WEAVER_MODE_PASSWORD: Final = "erp-demo-2026"  # noqa: S105 - as above
#: ``hrmdepartment.id`` -> name.
WEAVER_DEPARTMENTS: Final[dict[int, str]] = {1: "演示工厂", 11: "生产部", 12: "采购部", 13: "仓储部"}
#: ``hrmresource.id`` -> name; the same ids stand in the drafts' ``U_OAUserID``. The last one is locked.
WEAVER_USERS: Final[dict[int, str]] = {
    15: "张三",
    16: "李四",
    17: "王五",
    20: "陈经理",
    99: "离职员工",
}
WEAVER_APPROVER: Final = 20

#: Names of the demo's connections, as the demo mapping knows them.
B1_CONNECTION: Final = "b1-demo"
#: The same company by SQL, over the DI gateway; and the second company.
B1_DI_CONNECTION: Final = "b1-di-demo"
B1_SECOND_CONNECTION: Final = "b1-demo-2"
DINGTALK_CONNECTION: Final = "dingtalk-demo"
WECOM_CONNECTION: Final = "wecom-demo"
WEAVER_CONNECTION: Final = "weaver-demo"


def connections(base: str) -> dict[str, dict[str, Any]]:
    """The demo's connection documents for a sandbox at address ``base`` (``http://127.0.0.1:8765``).

    The Weaver one still lacks what registering gives: ``GET /control/weaver/registration``, or ``b1-runtime connections
    register``.
    """
    login = {"base_url": f"{base}/b1", "user": B1_USER, "password": B1_PASSWORD}
    return {
        B1_CONNECTION: {"kind": "b1.service_layer", "company": B1_COMPANY, **login},
        B1_DI_CONNECTION: {"kind": "b1.di_api", "company": B1_COMPANY, **login},
        B1_SECOND_CONNECTION: {"kind": "b1.service_layer", "company": B1_SECOND_COMPANY, **login},
        DINGTALK_CONNECTION: {
            "kind": "dingtalk",
            "base_url": f"{base}/dingtalk",
            "oapi_url": f"{base}/dingtalk",
            "app_key": DINGTALK_APP_KEY,
            "app_secret": DINGTALK_APP_SECRET,
            "aes_key": DINGTALK_AES_KEY,
            "token": DINGTALK_TOKEN,
        },
        WECOM_CONNECTION: {
            "kind": "wecom",
            "base_url": f"{base}/wecom",
            "corp_id": WECOM_CORP_ID,
            "secret": WECOM_SECRET,
            "agent_id": WECOM_AGENT_ID,
            "aes_key": WECOM_AES_KEY,
            "token": WECOM_TOKEN,
        },
        WEAVER_CONNECTION: {
            "kind": "weaver",
            "base_url": f"{base}/weaver",
            "app_id": WEAVER_APP_ID,
            "user_id": str(WEAVER_APPROVER),
            "absent": "resend",
            "outcome_source": "field",
            "outcome_field": "spjg",
            "mode_system": WEAVER_MODE_SYSTEM,
            "mode_password": WEAVER_MODE_PASSWORD,
        },
    }
