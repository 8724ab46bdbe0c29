"""The Callbacks page over a seeded state and beside a real runtime: keys, addresses, self-test, inbox, AppCodes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from runtime.config import Settings
from runtime.mapping.folder import MappingFolder
from runtime.mapping.templates import gallery, instantiate
from runtime.sandbox import demo
from runtime.store.appcodes import AppCodes
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.inbox import list_events
from runtime.store.trust import TrustFiles
from runtime.store.vault import Vault
from studio.callbacks.selftest import Verdict
from studio.i18n import catalogue
from tests.studio.seeds import seed

ROOT = Path(__file__).parents[2]
VIEW = ROOT / "studio" / "views" / "callbacks.py"
TEXT = catalogue("zh-CN")
NAME = demo.DINGTALK_CONNECTION
SANDBOX = "http://127.0.0.1:9"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("B1_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("B1_MAPPINGS", str(tmp_path / "mappings"))
    monkeypatch.delenv("B1_PUBLIC_URL", raising=False)
    (tmp_path / "mappings").mkdir()
    opened = Database.open(Settings().state_url)
    connections(opened).save(NAME, demo.connections(SANDBOX)[NAME])
    yield opened
    opened.close()
    st.cache_resource.clear()


@pytest.fixture
def sandbox(tmp_path: Path, database: Database) -> Iterator[None]:
    """A DingTalk that the connection leads to."""
    log = tmp_path / "sandbox.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "runtime.cli", "--var", str(tmp_path / "sandbox"), "sandbox", "--port", "0"]
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    end = time.monotonic() + 60
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text("utf-8"))):
        assert time.monotonic() < end, "the sandbox did not start"
        time.sleep(0.05)
    connections(database).save(NAME, demo.connections(found[0])[NAME])
    yield
    process.terminate()
    process.wait(timeout=30)


def connections(database: Database) -> ConnectionStore:
    return ConnectionStore(database, Vault(Settings().key_file))


def drawn() -> AppTest:
    return checked(AppTest.from_file(VIEW, default_timeout=60).run())


def checked(page: AppTest) -> AppTest:
    assert not page.exception
    return page


def click(page: AppTest, key: str) -> AppTest:
    return checked(page.button(key=key).click().run())


def said(page: AppTest) -> str:
    shown = (*page.error, *page.warning, *page.info, *page.success, *page.caption, *page.markdown)
    return "\n".join(item.value for item in shown).replace("\\", "")


def codes(page: AppTest) -> list[str]:
    return [code.value for code in page.code]


def test_without_a_public_address_the_page_says_what_to_do(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    page = drawn()
    assert "B1_PUBLIC_URL" in page.warning[0].value
    assert f"/callbacks/{NAME}" in said(page)
    monkeypatch.setenv("B1_PUBLIC_URL", "https://b1.example.com")
    page = drawn()
    assert not page.warning
    assert f"https://b1.example.com/callbacks/{NAME}" in codes(page)


def test_without_a_connection_there_is_a_way(database: Database) -> None:
    connections(database).delete(NAME)
    assert TEXT["callbacks.no_connection"] in said(drawn())


def test_new_keys_are_saved_and_shown_once(database: Database) -> None:
    document = connections(database).document(NAME)
    del document["aes_key"], document["token"]
    connections(database).delete(NAME)
    connections(database).save(NAME, document)
    page = click(drawn(), "callbacks.make")
    stored = connections(database).document(NAME)
    assert stored["app_secret"] == demo.DINGTALK_APP_SECRET
    assert stored["aes_key"] in codes(page)
    assert stored["token"] in codes(page)
    page = click(page, "callbacks.copied")
    assert TEXT["callbacks.keys_stored"] in said(page)
    assert not {stored["aes_key"], stored["token"]} & set(codes(page))
    assert stored["aes_key"] not in "".join(codes(drawn())) + said(drawn())


def test_keys_in_use_are_replaced_only_on_purpose(database: Database) -> None:
    page = drawn()
    assert page.button(key="callbacks.make").disabled
    page.checkbox(key=f"callbacks.replace.{NAME}").set_value(True).run()
    page = click(page, "callbacks.make")
    assert connections(database).document(NAME)["token"] != demo.DINGTALK_TOKEN
    assert TEXT["callbacks.keys_saved"] in said(page)


def test_filters_of_every_form_are_there_to_copy(database: Database) -> None:
    mappings = Path(os.environ["B1_MAPPINGS"])
    shutil.copy(ROOT / "mappings" / "purchase-request-dingtalk.json", mappings)
    paths = next(code for code in codes(drawn()) if "bpms_instance_change" in code).splitlines()
    assert paths == [
        f"/v1.0/event/bpms_instance_change/processCode/{demo.PROCESS_CODE}/type/{change}"
        for change in ("finish", "terminate")
    ]


def test_the_self_test_without_a_runtime(database: Database) -> None:
    assert TEXT["callbacks.verdict.not_running"] in said(click(drawn(), "callbacks.test"))


def test_the_self_test_asks_the_real_runtime(database: Database, serve: Callable[..., None]) -> None:
    serve()
    page = click(drawn(), "callbacks.test")
    assert "验签、解密正确" in said(page)
    assert database.read(list_events) == []
    page.checkbox(key=f"callbacks.replace.{NAME}").set_value(True).run()
    click(page, "callbacks.make")
    assert "验签、解密正确" in said(click(page, "callbacks.test"))


def test_a_runtime_with_other_keys_is_found_out(
    database: Database, serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = connections(database).document(NAME)
    connections(database).save(NAME, {**document, "token": {"env": "DING_TOKEN"}})
    monkeypatch.setenv("DING_TOKEN", "studio1")
    serve(DING_TOKEN="runtime1")
    page = drawn()
    assert "DING_TOKEN" in said(page)
    assert "密钥不对" in said(click(page, "callbacks.test"))


def choose_stream(page: AppTest) -> AppTest:
    return checked(page.radio(key=f"callbacks.way.{NAME}").set_value("stream").run())


def test_choosing_stream_mode_saves_it_and_asks_for_no_address(database: Database) -> None:
    shutil.copy(ROOT / "mappings" / "purchase-request-dingtalk.json", Path(os.environ["B1_MAPPINGS"]))
    page = choose_stream(drawn())
    stored = connections(database).document(NAME)
    assert stored["event_mode"] == "stream"
    assert stored["app_secret"] == demo.DINGTALK_APP_SECRET
    assert not page.warning
    assert TEXT["callbacks.stream.console"] in said(page)
    assert "Stream 模式推送" in said(page)
    [filters] = codes(page)
    assert f"/processCode/{demo.PROCESS_CODE}/type/finish" in filters
    page = checked(page.radio(key=f"callbacks.way.{NAME}").set_value("http").run())
    assert connections(database).document(NAME)["event_mode"] == "http"
    assert "B1_PUBLIC_URL" in page.warning[0].value
    connections(database).save(NAME, {**stored, "event_mode": "stream"})
    # Another page changed it: what is stored counts.
    assert page.run().radio(key=f"callbacks.way.{NAME}").value == "stream"


def test_the_self_test_of_stream_mode_without_dingtalk_or_runtime(database: Database) -> None:
    page = click(choose_stream(drawn()), "callbacks.test_stream")
    assert "无法连接对方系统" in said(page)
    assert not page.success


@pytest.mark.usefixtures("sandbox")
def test_the_self_test_of_stream_mode(
    database: Database, serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = click(choose_stream(drawn()), "callbacks.test_stream")
    assert "Stream 模式可用" in said(page)
    assert TEXT["callbacks.verdict.not_running"] in said(page)
    serve()
    assert "运行时已连接，自 " in said(click(drawn(), "callbacks.test_stream"))
    document = connections(database).document(NAME)
    # Only the studio has the variable: the runtime cannot connect, and still was a moment ago.
    connections(database).save(NAME, {**document, "app_secret": {"env": "DING_SECRET"}})
    monkeypatch.setenv("DING_SECRET", demo.DINGTALK_APP_SECRET)
    found = said(click(drawn(), "callbacks.test_stream"))
    assert "Stream 模式可用" in found
    assert "运行时还没有连上" in found
    assert "DING_SECRET" in found


def test_a_weaver_connection_shows_what_the_oa_is_to_call(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    weaver = demo.WEAVER_CONNECTION
    connections(database).save(weaver, demo.connections(SANDBOX)[weaver])
    monkeypatch.setenv("B1_PUBLIC_URL", "https://b1.example.com")
    page = drawn()
    page.selectbox(key="callbacks.connection").select(weaver).run()
    assert TEXT["callbacks.reporting.no_flow"] in said(page)
    template = next(one for one in gallery() if one.id == "weaver-approval-odata")
    roles = {"erp": demo.B1_CONNECTION, "oa": weaver}
    mapping = instantiate(template, id="requests", title="", connections=roles, settings={"workflow": "45"})
    MappingFolder(Path(os.environ["B1_MAPPINGS"])).save(mapping, expected=None)
    page = checked(page.run())
    assert "https://b1.example.com/flows/requests/verdict" in codes(page)
    assert TEXT["callbacks.reporting.no_flow"] not in said(page)
    assert TEXT["callbacks.switched_off"] in said(page)
    assert "X-Apig-AppCode" in said(page)
    name = TEXT["text.named"].format(title=mapping.title, name="requests")
    assert TEXT["callbacks.waits"].format(mapping=name, flow="missed", form="45") in said(page)
    connections(database).delete(NAME)
    assert "https://b1.example.com/flows/requests/verdict" in codes(drawn())


def test_a_wecom_connection_has_its_own_steps_and_its_trust_file(
    database: Database, serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    connections(database).delete(NAME)
    wecom = demo.WECOM_CONNECTION
    connections(database).save(wecom, demo.connections(SANDBOX)[wecom])
    monkeypatch.setenv("B1_PUBLIC_URL", "https://b1.example.com")
    page = drawn()
    assert TEXT["callbacks.wecom.console_where"] in said(page)
    assert "钉钉开放平台" not in said(page)
    assert f"https://b1.example.com/callbacks/{wecom}" in codes(page)
    upload = page.file_uploader(key="callbacks.trust")
    page = checked(upload.set_value(("WW_verify_YpAqDE4xoAPsmGSK.txt", b"YpAqDE4xoAPsmGSK", "text/plain")).run())
    assert "https://b1.example.com/WW_verify_YpAqDE4xoAPsmGSK.txt" in said(page)
    assert TrustFiles(Settings().var).read("WW_verify_YpAqDE4xoAPsmGSK.txt") == b"YpAqDE4xoAPsmGSK"
    serve()
    page = click(drawn(), "callbacks.test")
    assert "验签、解密正确" in said(page)


def test_failed_events_are_told_and_tried_again(database: Database) -> None:
    seed(database)
    [failed] = database.read(lambda connection: list_events(connection, states=["failed"]))
    page = drawn()
    assert "1 个回调处理失败" in said(page)
    assert "B1 拒绝了审批结论" in said(page)
    assert len(page.dataframe[0].value) == 2
    page = click(page, f"callbacks.retry.{failed.id}")
    assert "已安排重试：proc-9" in said(page)
    [new] = database.read(lambda connection: list_events(connection, states=["new"]))
    assert new.id == failed.id


def test_app_codes_are_shown_when_asked_for_and_changed(database: Database) -> None:
    document = {
        "format": 1, "id": "orders", "title": "O", "enabled": True, "connections": {}, "settings": {},
        "flows": {"new": {"trigger": {"http": {"path": "orders/new"}}, "steps": []}},
    }  # fmt: skip
    Path(os.environ["B1_MAPPINGS"], "orders.json").write_text(json.dumps(document))
    page = drawn()
    assert "/flows/orders/new" in codes(page)[-1]
    assert "X-Apig-AppCode:" not in "".join(codes(page))
    page = click(page, "appcode.show.orders/new")
    shown = next(code for code in codes(page) if "X-Apig-AppCode:" in code).split()[1]
    store = AppCodes(database, Vault(Settings().key_file))
    assert store.accepts("orders", "new", shown)
    page = click(page, "appcode.rotate.orders/new")
    rotated = next(code for code in codes(page) if "X-Apig-AppCode:" in code).split()[1]
    fresh = AppCodes(database, Vault(Settings().key_file))
    assert fresh.accepts("orders", "new", rotated)
    assert not fresh.accepts("orders", "new", shown)
    assert "X-Apig-AppCode:" not in "".join(codes(drawn()))


def test_every_verdict_has_its_words() -> None:
    assert {key.rpartition(".")[2] for key in TEXT if key.startswith("callbacks.verdict.")} == set(get_args(Verdict))


def test_a_system_without_callbacks_is_told_what_to_call(database: Database) -> None:
    weaver = demo.WEAVER_CONNECTION
    connections(database).save(weaver, demo.connections(SANDBOX)[weaver])
    template = next(item for item in gallery() if item.id == "weaver-approval-odata")
    mapping = instantiate(
        template, id="requests", title="采购申请", connections={"erp": demo.B1_CONNECTION, "oa": weaver},
        settings={"workflow": "45", "in_status": "jl"},
    )  # fmt: skip
    MappingFolder(Settings().mappings).save(mapping.model_copy(update={"enabled": False}), expected=None)
    page = checked(drawn().selectbox(key="callbacks.connection").select(weaver).run())
    assert TEXT["callbacks.switched_off"] in said(page)
    sample = next(json.loads(code) for code in codes(page) if code.startswith("{"))
    assert sample == {"requestid": 1001, "jl": "Y", "approver": "张三", "remark": "同意采购"}
    page = click(page, "reporting.show.requests/verdict")
    code = AppCodes(database, Vault(Settings().key_file)).get("requests", "verdict")
    assert f"X-Apig-AppCode: {code}" in codes(page)
