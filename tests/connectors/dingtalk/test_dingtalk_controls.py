"""What the controls of a form need from DingTalk: people, departments, stored files; and what they refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime.connectors.actions import Action, ActionParams, Effect
from runtime.connectors.base import Connector, TestReport
from runtime.connectors.dingtalk.actions import FindUser, UploadAttachment
from runtime.connectors.dingtalk.connector import DingTalkConnector
from runtime.connectors.files import File
from runtime.connectors.settings import HttpSettings
from runtime.engine.preview import PLACEHOLDER, preview
from runtime.errors import NotFound, RemoteRefused, ValueRefused
from runtime.mapping.forms import Control, ControlType, Form
from runtime.mapping.mapper import MappedForm
from runtime.mapping.models import Mapping
from runtime.sandbox import demo

Link = Callable[..., DingTalkConnector]
Run = Callable[..., Awaitable[Any]]

LISI = {"user_id": "user-lisi", "name": "李四", "departments": [1002]}
BY_MOBILE, GET_USER = "/topapi/v2/user/getbymobile", "/topapi/v2/user/get"


def file_of(content: bytes, name: str = "图纸 1.PDF") -> File:
    async def fetch() -> bytes:
        return content

    return File(name, fetch)


def start_of(form: Form, **values: Any) -> dict[str, Any]:
    controls = {control.label: control for control in form.controls}
    return {
        "form": form.code,
        "values": MappedForm({"单行输入框": "文本", **values}, controls),
        "originator": "user-zhangsan",
        "department": 1001,
    }


@pytest.mark.parametrize("mobile", ["13800000002", 13800000002, "+86 138-0000-0002", "0086 13800000002"])
async def test_an_employee_is_found_by_the_mobile_number(link: Link, run: Run, mobile: Any) -> None:
    found = await run(link(), "find_user", mobile=mobile)
    assert {name: found[name] for name in LISI} == LISI
    assert await run(link(), "find_user", user=found) == found


async def test_nobody_by_that_number_or_id(link: Link, run: Run) -> None:
    for asked in ({"mobile": "13900000000"}, {"user": "user-nobody"}):
        with pytest.raises(NotFound, match="60121") as caught:
            await run(link(), "find_user", **asked)
        assert caught.value.where == next(iter(asked.values()))
    for wrong in ({}, {"mobile": "1", "user": "u"}, {"mobile": None}):
        with pytest.raises(ValueError, match="mobile"):
            FindUser.model_validate(wrong)


async def test_departments_by_name_and_number(link: Link, run: Run) -> None:
    connector = link()
    assert await run(connector, "find_department", name=" 采购部 ") == {"department_id": 1002, "name": "采购部"}
    assert await run(connector, "find_department", department="1003") == {"department_id": 1003, "name": "仓储部"}
    company = {"department_id": demo.ROOT_DEPARTMENT, "name": "演示工厂"}
    assert await run(connector, "find_department", name="演示工厂") == company
    assert await run(connector, "find_department", department=-1) == company
    for wrong in ({"name": "采购"}, {"department": 7}):
        with pytest.raises(NotFound):
            await run(connector, "find_department", **wrong)


async def test_answers_are_remembered_and_an_old_token_is_replaced(dingtalk: Any, connect: Any, run: Run) -> None:
    user = {"errcode": 0, "result": {"userid": "u1", "name": "甲", "unionid": "x", "dept_id_list": [1, 7]}}
    stale = {"errcode": 88, "sub_code": "40014", "sub_msg": "不合法的access_token", "errmsg": "ding talk error"}
    dingtalk.answers[BY_MOBILE] = [(200, stale), (200, {"errcode": 0, "result": {"userid": "u1"}})]
    dingtalk.answers[GET_USER] = [(200, user)]
    connector = connect()
    for _ in range(3):
        assert (await run(connector, "find_user", mobile="13800000001"))["departments"] == [-1, 7]
    assert [body["access_token"] for body in dingtalk.bodies(BY_MOBILE)] == ["token-1", "token-2"]
    assert dingtalk.bodies(GET_USER) == [{"userid": "u1", "access_token": "token-2"}]


async def test_a_file_is_stored_and_attached(link: Link, run: Run) -> None:
    connector = link()
    content = b"%PDF-1.7 " * 50_000
    stored = await run(
        connector, "upload_attachment", files=[file_of(content), file_of(b"x", "无")], user="user-zhangsan"
    )
    first, second = stored
    assert {name: first[name] for name in ("fileName", "fileSize", "fileType")} == {
        "fileName": "图纸 1.PDF",
        "fileSize": str(len(content)),
        "fileType": "pdf",
    }
    assert first["spaceId"] == second["spaceId"]
    assert first["fileId"] != second["fileId"]
    form = await connector.fetch_form(demo.ALL_PROCESS_CODE)
    await run(connector, "create_approval", **start_of(form, 附件=stored))
    # Nothing but what was really stored there can be attached.
    missing = {**first, "fileId": "1"}
    with pytest.raises(RemoteRefused, match="illegalComponent"):
        await run(connector, "create_approval", **start_of(form, 附件=missing))
    with pytest.raises(ValueRefused, match=r"附件.*upload_attachment"):
        await run(connector, "create_approval", **start_of(form, 附件=file_of(content)))


async def test_the_content_arrives_as_it_was(link: Link, run: Run, sandbox: Any) -> None:
    content = bytes(range(256)) * 40
    [stored] = await run(link(), "upload_attachment", files=file_of(content), user="user-lisi")
    [kept] = [one for one in sandbox.world.dingtalk.drive.files.values() if one.id == stored["fileId"]]
    assert kept.sha256 == hashlib.sha256(content).hexdigest()


async def test_uploads_that_cannot_be(link: Link, run: Run) -> None:
    connector = link()
    assert await run(connector, "upload_attachment", files=[], user="user-lisi") == []
    with pytest.raises(ValueRefused, match="图纸"):
        await run(connector, "upload_attachment", files=file_of(b""), user="user-lisi")
    with pytest.raises(NotFound, match="60121"):
        await run(connector, "upload_attachment", files=file_of(b"x"), user="user-nobody")
    for wrong in ("C:\\a.pdf", [{"name": "a.pdf"}], 7):
        with pytest.raises(ValueError, match="files come from"):
            UploadAttachment.model_validate({"files": wrong, "user": "u"})


async def test_people_whom_dingtalk_does_not_know_are_named_with_their_control(link: Link, run: Run) -> None:
    connector = link()
    form = await connector.fetch_form(demo.ALL_PROCESS_CODE)
    lisi = await run(connector, "find_user", mobile="13800000002")
    department = await run(connector, "find_department", name="采购部")
    started = await run(connector, "create_approval", **start_of(form, 联系人=[lisi, "user-wangwu"], 部门=department))
    approval = await run(connector, "get_approval", instance_id=started["instance_id"])
    assert (approval["values"]["联系人"], approval["values"]["部门"]) == ('["user-lisi","user-wangwu"]', "1002")
    with pytest.raises(ValueRefused, match="联系人: user-nobody"):
        await run(connector, "create_approval", **start_of(form, 联系人=["user-lisi", "user-nobody"]))


async def test_an_app_that_may_not_read_the_directory_still_starts_approvals(
    dingtalk: Any, connect: Any, run: Run
) -> None:
    dingtalk.answers[GET_USER] = [(200, {"errcode": 60011, "errmsg": "没有调用该接口的权限"})]
    dingtalk.answers["/v1.0/workflow/processInstances"] = [(200, {"instanceId": "i-1"})]
    contact = Control(id="c1", label="联系人", type=ControlType.CONTACT)
    table = Control(id="t1", label="明细", type=ControlType.TABLE, children=(contact,))
    form = Form(code="P", title="", controls=(contact, table))
    params = start_of(form, 联系人="u1", 明细=[{"c1": "u2"}, {"联系人": "u1"}])
    del params["values"]["单行输入框"]
    assert await run(connect(), "create_approval", **params) == {"instance_id": "i-1"}
    assert [body["userid"] for body in dingtalk.bodies(GET_USER)] == ["u1", "u2"]


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("电话", "不详", "电话.*不是电话号码"),
        ("金额", "十元", "金额.*不是数字"),
        ("单选框", "特急", "单选框.*不是可选项（普通、加急）"),
        ("多选框", ["质检", "销售"], "多选框.*“销售”不是可选项"),
        ("日期区间", ["2026-02-02", "2026-02-01"], "晚于"),
        ("图片", "a.jpg", "图片.*图片地址无效"),
        ("附件", {"fileName": "a.pdf"}, "附件.*附件缺少 spaceId"),
        ("多行输入框", "x" * 65_536, "多行输入框.*最多 65535"),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_sent(
    link: Link, run: Run, label: str, value: Any, said: str
) -> None:
    connector = link()
    form = await connector.fetch_form(demo.ALL_PROCESS_CODE)
    name = '["开始时间","结束时间"]' if label == "日期区间" else label
    with pytest.raises(ValueRefused, match=said):
        await connector.actions["create_approval"].prepare(  # type: ignore[misc]
            connector.actions["create_approval"].params.model_validate(start_of(form, **{name: value}))
        )


async def test_options_are_known_by_label_and_by_key(link: Link) -> None:
    connector = link()
    form = await connector.fetch_form(demo.ALL_PROCESS_CODE)
    create = connector.actions["create_approval"]
    assert create.prepare is not None
    for given, sent in (("加急", "加急"), ("option_1", "加急"), ("普通", "普通")):
        params = create.params.model_validate(start_of(form, 单选框=given, 多选框='["质检","财务"]'))
        written = {one["name"]: one["value"] for one in (await create.prepare(params)).body["formComponentValues"]}
        assert (written["单选框"], written["多选框"]) == (sent, '["质检","财务"]')


class Erp(Connector[HttpSettings]):
    """Has one record with one file, and counts how often the file's content is asked for."""

    kind = "test.erp"
    title_zh = title_en = "ERP"
    settings_model = HttpSettings
    fetched = 0

    def define_actions(self) -> list[Action]:
        read = Effect.READ
        return [Action(name="attachment", effect=read, params=ActionParams, zh="附件", en="files", run=self.files)]

    async def files(self, params: ActionParams) -> list[File]:
        async def fetch() -> bytes:
            self.fetched += 1
            return b"content"

        return [File("合同.docx", fetch)]

    async def test(self) -> TestReport:
        return TestReport(lines=[])

    async def aclose(self) -> None:
        pass


async def test_a_preview_uploads_nothing_and_shows_the_attachment(link: Link) -> None:
    oa, erp = link(), Erp("erp", HttpSettings(base_url="http://127.0.0.1"))
    controls = [
        control.model_dump() for control in (await oa.fetch_form(demo.ALL_PROCESS_CODE)).controls
        if control.label in ("单行输入框", "附件")
    ]  # fmt: skip
    steps = [
        {"id": "files", "call": "erp.attachment"},
        {"id": "stored", "call": "oa.upload_attachment", "with": {"files": "{{ files }}", "user": "user-lisi"}},
        {
            "id": "form",
            "map": {
                "from": "{{ input }}",
                "to": {"controls": controls},
                "fields": [
                    {"to": "单行输入框", "value": "{{ files[0].name }}"},
                    {"to": "附件", "value": "{{ stored }}"},
                ],
            },
        },
        {
            "call": "oa.create_approval",
            "with": {
                "form": demo.ALL_PROCESS_CODE,
                "values": "{{ form }}",
                "originator": "user-lisi",
                "department": 1002,
            },
        },
    ]
    mapping = Mapping.model_validate(
        {
            "id": "m",
            "connections": {"erp": "erp", "oa": "oa"},
            "flows": {"go": {"trigger": {"manual": {}}, "steps": steps}},
        }
    )

    class Pool:
        async def get(self, name: str) -> Any:
            return {"erp": erp, "oa": oa}[name]

        @asynccontextmanager
        async def lease(self) -> Any:
            yield self

    shown = await preview(mapping, "go", Pool())
    [document] = shown.documents
    assert document.error is None
    upload, create = document.sent
    assert (upload.effect, upload.request.body["files"]) == (Effect.UPDATE, ["合同.docx"])
    written = {one["name"]: one["value"] for one in create.request.body["formComponentValues"]}
    assert written["单行输入框"] == "合同.docx"
    assert '"fileName":"合同.docx"' in written["附件"]
    assert f'"fileId":"{PLACEHOLDER}"' in written["附件"]
    assert erp.fetched == 0
