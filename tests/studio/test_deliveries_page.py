"""The Deliveries page over a seeded state: found, told, and decided by a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from runtime.config import Settings
from runtime.sandbox import demo
from runtime.store.connections import ConnectionStore
from runtime.store.database import Database
from runtime.store.ledger import DeliveryState, EffectState, get_delivery
from runtime.store.runs import list_runs
from runtime.store.vault import Vault
from studio.i18n import catalogue
from tests.running import started_approval
from tests.studio.seeds import MAPPING, OA, deliver, effect, seed

VIEWS = Path(__file__).parents[2] / "studio" / "views"
TEXT = catalogue("zh-CN")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("B1_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("B1_MAPPINGS", str(tmp_path / "mappings"))
    (tmp_path / "mappings").mkdir()
    opened = Database.open(Settings().state_url)
    yield opened
    opened.close()
    st.cache_resource.clear()


@pytest.fixture
def approval(database: Database, sandbox: str) -> str:
    """The id of an approval that is there."""
    document = demo.connections(sandbox)[demo.DINGTALK_CONNECTION]
    ConnectionStore(database, Vault(Settings().key_file)).save(OA, document)
    return started_approval(sandbox)


def drawn(delivery: int | str | None = None, view: str = "deliveries") -> AppTest:
    page = AppTest.from_file(VIEWS / f"{view}.py", default_timeout=60)
    if delivery is not None:
        page.query_params["delivery"] = str(delivery)
    return checked(page.run())


def checked(page: AppTest) -> AppTest:
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    shown = (*page.error, *page.warning, *page.info, *page.success, *page.caption, *page.subheader, *page.markdown)
    return "\n".join(item.value for item in shown).replace("\\", "")


def listed(page: AppTest) -> list[str]:
    return list(page.dataframe[0].value[TEXT["deliveries.document"]])


def widget(items: Any, beginning: str) -> Any:
    return next(item for item in items if str(item.key).startswith(beginning))


def test_an_empty_ledger_says_so(database: Database) -> None:
    assert TEXT["deliveries.none"] in said(drawn())


def test_documents_are_listed_without_whole_runs_and_found_by_what_is_known(database: Database) -> None:
    seed(database)
    page = drawn()
    assert sorted(listed(page)) == ["1", "1", "2", "3", "7"]
    page.toggle(key="deliveries.whole").set_value(True).run()
    assert len(listed(checked(page))) == 6
    page.toggle(key="deliveries.whole").set_value(False)
    page.text_input(key="deliveries.text").set_value("proc-2").run()
    assert listed(checked(page)) == ["1"]
    page.text_input(key="deliveries.text").set_value("").run()
    page.multiselect(key="deliveries.states").set_value(["failed"]).run()
    assert listed(checked(page)) == ["3"]
    assert "1 张单据的结果未知" in said(page)
    page.button(key="deliveries.only_unknown").click().run()
    assert listed(checked(page)) == ["7"]


def test_every_document_of_a_page_is_reachable(database: Database) -> None:
    for number in range(55):
        deliver(database, f"{number:03}")
    page = drawn()
    first = listed(page)
    assert len(first) == 50
    page.number_input(key="deliveries.page.2").set_value(2).run()
    assert sorted(first + listed(checked(page))) == [f"{number:03}" for number in range(55)]


def test_a_delivery_tells_its_history_with_verdict_and_generations(database: Database) -> None:
    ids = seed(database)
    page = drawn(ids["1b"])
    history = page.dataframe[1].value
    happened = list(history[TEXT["deliveries.happened"]])
    for kind in ("opened", "intent", "adopted", "updated", "completed", "event", "verdict"):
        assert TEXT[f"deliveries.moment.{kind}"] in happened
    assert happened[:3] == [TEXT[f"deliveries.moment.{kind}"] for kind in ("opened", "intent", "adopted")]
    assert "if/erp.decide" in list(history[TEXT["deliveries.step"]])
    others = page.dataframe[2].value
    assert list(others[TEXT["deliveries.generation"]]) == [2, 1]
    assert f"/deliveries?delivery={ids['1']}" in list(others[TEXT["deliveries.open"]])
    assert list(page.dataframe[3].value[TEXT["deliveries.event_type"]]) == ["approval.finished"]
    assert "/runs?run=20260301-080000-0a1b2c3d" in list(page.dataframe[4].value[TEXT["deliveries.open"]])
    assert "proc-2" in said(page)


@pytest.mark.parametrize("address", ["999", "x", "99999999999999999999", "²"])
def test_an_address_that_names_no_delivery_is_said_so(database: Database, address: str) -> None:
    assert "不在台账中" in said(drawn(address))


def test_a_person_decides_that_it_was_created(database: Database, approval: str) -> None:
    ids = seed(database)
    page = drawn(ids["7"])
    assert "单据 7：对方到底创建了没有" in said(page)
    assert "有 2 张审批都可能是它" in said(page)
    assert any('"来源单号": "7"' in code.value for code in page.code)
    widget(page.radio, "decide.choice").set_value("created").run()
    assert not [button for button in page.button if str(button.key).startswith("decide.do")]
    widget(page.text_input, "decide.instance").set_value(f" {approval} ").run()
    assert f"单据 7 将记为已在 dingtalk-demo 创建，编号 {approval}" in said(page)
    assert widget(page.button, "decide.do").disabled
    widget(page.text_input, "decide.by").set_value("王工").run()
    widget(page.checkbox, "decide.sure").set_value(True).run()
    widget(page.button, "decide.do").click().run()
    assert f"单据 7 已记为创建，编号 {approval}" in said(checked(page))
    told = database.read(lambda connection: get_delivery(connection, ids["7"]))
    assert told is not None
    assert (told.state, told.instance_id) == (DeliveryState.RESOLVED, approval)
    assert [(one["by"], one["decision"]) for one in told.decisions or ()] == [("王工", "created")]
    [run] = database.read(lambda connection: list_runs(connection, states=["queued"]))
    assert (run.mapping, run.request) == (MAPPING, {"only": "7"})
    assert TEXT["deliveries.moment.decided.created"] in list(page.dataframe[1].value[TEXT["deliveries.happened"]])


def test_an_id_that_the_approval_system_does_not_show_is_recorded_only_with_one_more_box(
    database: Database, approval: str
) -> None:
    ids = seed(database)
    wrong = f"{approval}x"
    page = drawn(ids["7"])
    widget(page.radio, "decide.choice").set_value("created").run()
    widget(page.text_input, "decide.by").set_value("王工").run()
    for given in (wrong, f"{approval}y", wrong):
        widget(page.text_input, "decide.instance").set_value(given).run()
        widget(page.checkbox, "decide.sure").set_value(True).run()
        widget(page.button, "decide.do").click().run()
        assert f"看不到编号为 {given} 的审批" in said(checked(page))
        assert not widget(page.checkbox, "decide.unchecked").value
        assert undecided(database, ids["7"])
    widget(page.button, "decide.do").click().run()
    assert undecided(database, ids["7"])
    widget(page.checkbox, "decide.unchecked").set_value(True).run()
    widget(page.text_input, "decide.instance").set_value(f"{approval}z").run()
    assert not [box for box in page.checkbox if str(box.key).startswith("decide.unchecked")]
    widget(page.text_input, "decide.instance").set_value(wrong).run()
    assert not widget(page.checkbox, "decide.unchecked").value
    widget(page.checkbox, "decide.sure").set_value(True).run()
    widget(page.checkbox, "decide.unchecked").set_value(True).run()
    widget(page.button, "decide.do").click().run()
    assert f"单据 7 已记为创建，编号 {wrong}" in said(checked(page))
    assert not undecided(database, ids["7"])


def undecided(database: Database, delivery: int) -> bool:
    told = database.read(lambda connection: get_delivery(connection, delivery))
    assert told is not None
    return (told.state, told.decisions) == (DeliveryState.UNKNOWN, None)


def test_a_person_decides_to_send_again_and_another_id_needs_another_confirmation(database: Database) -> None:
    ids = seed(database)
    page = drawn(ids["7"])
    widget(page.radio, "decide.choice").set_value("created").run()
    widget(page.text_input, "decide.instance").set_value("proc-77").run()
    widget(page.text_input, "decide.by").set_value("王工").run()
    widget(page.checkbox, "decide.sure").set_value(True).run()
    widget(page.text_input, "decide.instance").set_value("proc-78").run()
    assert widget(page.button, "decide.do").disabled
    widget(page.radio, "decide.choice").set_value("resend").run()
    assert widget(page.button, "decide.do").disabled
    assert "就会变成两张" in said(page)
    widget(page.checkbox, "decide.sure").set_value(True).run()
    widget(page.button, "decide.do").click().run()
    assert "单据 7 将重新发送" in said(checked(page))
    told = database.read(lambda connection: get_delivery(connection, ids["7"]))
    assert told is not None
    assert told.effects["approval"].state is EffectState.ABSENT


def test_an_id_that_belongs_to_another_document_is_refused(database: Database) -> None:
    ids = seed(database)
    page = drawn(ids["7"])
    widget(page.radio, "decide.choice").set_value("created").run()
    widget(page.text_input, "decide.instance").set_value("proc-3").run()
    widget(page.text_input, "decide.by").set_value("王工").run()
    widget(page.checkbox, "decide.sure").set_value(True).run()
    widget(page.button, "decide.do").click().run()
    assert "proc-3 已记录为单据 2" in said(checked(page))
    told = database.read(lambda connection: get_delivery(connection, ids["7"]))
    assert told is not None
    assert told.state is DeliveryState.UNKNOWN


def test_a_changed_mapping_leaves_nothing_to_decide_here(database: Database) -> None:
    moved = deliver(database, "9", effect(), state=DeliveryState.UNKNOWN)
    assert TEXT["decide.nothing"] in said(drawn(moved))


def test_the_page_speaks_english_too(database: Database) -> None:
    ids = seed(database)
    page = drawn(ids["1b"])
    page.session_state["language"] = "en"
    checked(page.run())
    assert "Document 1 · delivered" in said(page)
    assert any("lang=en" in link for link in page.dataframe[2].value[catalogue("en")["deliveries.open"]])


def test_the_overview_counts_what_waits(database: Database) -> None:
    seed(database)
    page = drawn(view="overview")
    counts = {metric.label: metric.value for metric in page.metric}
    assert counts[TEXT["overview.unknown"]] == "1"
    assert counts[TEXT["overview.failed"]] == "1"
    assert counts[TEXT["overview.open"]] == "2"
    assert counts[TEXT["overview.events"]] == "1"
