"""Mode data: the checksum, what makes saving safe to repeat, and every known shape of an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from runtime.errors import BadConnection, RemoteFault, ValueRefused

Connect = Callable[..., Any]
Run = Callable[..., Awaitable[Any]]
SAVE = "/api/cube/restful/interface/saveOrUpdateModeData/items"
LOGIN = {"mode_system": "erp", "mode_password": "pass-word"}
TWO = [{"bm": "A1"}, {"bm": "A2"}]


async def test_what_is_sent_is_signed_and_prepared_without_the_signature(
    weaver: Any, connect: Connect, run: Run
) -> None:
    weaver.answers[SAVE] = [{"status": "1"}]
    connector = connect(**LOGIN)
    await run(connector, "save_mode_data", interface="items", records=[{"id": 7, "bm": "A1"}], operator=15)
    _, headers, fields = weaver.calls[0]
    assert "token" not in headers
    sent = json.loads(fields["datajson"])
    header = sent["header"]
    said = hashlib.md5(f"erppass-word{header['currentDateTime']}".encode()).hexdigest()
    assert (header["systemid"], header["Md5"]) == ("erp", said)
    [record] = sent["data"]
    assert record["mainTable"] == {"id": "7", "bm": "A1"}
    assert record["operationinfo"]["operator"] == "15"
    action = connector.actions["save_mode_data"]
    prepared = await action.prepare(action.params.model_validate({"interface": "items", "records": [{"id": 7}]}))
    shown = json.loads(prepared.body["datajson"])
    assert shown["header"]["Md5"] == "…"
    assert shown["data"][0]["mainTable"] == {"id": "7"}
    await run(connect(**LOGIN, mode_token=True), "save_mode_data", interface="items", records=[{"id": 7}])
    assert weaver.opened(weaver.calls[1][1]["userid"]) == "1"


async def test_a_record_that_would_be_added_twice_is_not_sent(weaver: Any, connect: Connect, run: Run) -> None:
    connector = connect(**LOGIN)
    action = connector.actions["save_mode_data"]
    for keys in ((), "bm", ["bm", "mc"]):
        given = {"interface": "items", "records": [{"mc": "x"}], "key_fields": keys}
        [record] = (await run(connector, "save_mode_data", **given))["refused"]
        assert (record["accepted"], "重复新增" in record["message"]) == (False, True)
        with pytest.raises(ValueRefused, match="重复新增"):
            await action.prepare(action.params.model_validate(given))
    with pytest.raises(BadConnection, match="systemid"):
        await run(connect(), "save_mode_data", interface="items", records=TWO, key_fields="bm")
    assert weaver.calls == []


async def test_a_record_that_is_not_sent_does_not_hold_up_the_others(weaver: Any, connect: Connect, run: Run) -> None:
    weaver.answers[SAVE] = [{"status": "1", "datas": [{"id": 8, "status": "1"}, {"id": 9, "status": "0"}]}]
    connector = connect(**LOGIN)
    given = {"interface": "items", "records": [{"mc": "x"}, *TWO], "key_fields": "bm"}
    saved = await run(connector, "save_mode_data", **given)
    [(_, _, fields)] = weaver.calls
    sent = json.loads(fields["datajson"])["data"]
    assert [one["mainTable"]["bm"] for one in sent] == ["A1", "A2"]
    assert [(one["index"], one["accepted"], one["id"]) for one in saved["records"]] == [
        (0, False, ""),
        (1, True, "8"),
        (2, False, "9"),
    ]
    # The preview shows the same call, and promises what the OA may accept.
    action = connector.actions["save_mode_data"]
    params = action.params.model_validate(given)
    shown = json.loads((await action.prepare(params)).body["datajson"])["data"]
    assert [one["mainTable"] for one in shown] == [one["mainTable"] for one in sent]
    promised = action.promise(params, "?")
    assert [(one["index"], one["id"]) for one in promised["accepted"]] == [(1, "?"), (2, "?")]
    assert [one["index"] for one in promised["refused"]] == [0]


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"status": "1", "datajson": '{"data":[{"billid":"12"},{"billid":13}]}'}, ["A1 12", "A2 13"]),
        ({"status": "success", "datajson": {"data": [{"billid": "12"}, {"billid": "-1"}]}}, ["A1 12"]),
        ({"status": 1, "datas": [{"id": 1, "status": "1"}, {"id": 2, "status": "0"}]}, ["A1 1"]),
        ({"status": True, "data": [{"id": "5"}, {"id": ""}]}, ["A1 5"]),
        ({"status": "fail", "datas": [{"id": 1, "status": "fail"}, {"id": 2, "status": "1"}]}, ["A2 2"]),
        ({"status": "1", "result": "ok"}, ["A1 ", "A2 "]),
        ({"status": "success", "result": []}, ["A1 ", "A2 "]),
        ({"status": "fail", "result": "no"}, []),
        ({"status": "0"}, []),
        ([], []),
        ({"unknown": 1, "code": 0}, []),
    ],
)
async def test_every_shape_of_an_answer_is_read(
    weaver: Any, connect: Connect, run: Run, answer: Any, wanted: list[str]
) -> None:
    weaver.answers[SAVE] = [answer]
    saved = await run(connect(**LOGIN), "save_mode_data", interface="items", records=TWO, key_fields="bm")
    assert [record["index"] for record in saved["records"]] == [0, 1]
    assert [f"{record['values']['bm']} {record['id']}" for record in saved["accepted"]] == wanted
    assert len(saved["accepted"]) + len(saved["refused"]) == 2


@pytest.mark.parametrize("rows", [[{"billid": "1"}], [{"billid": "1"}] * 3])
async def test_an_answer_that_does_not_say_which_were_saved_marks_none(
    weaver: Any, connect: Connect, run: Run, rows: Any
) -> None:
    weaver.answers[SAVE] = [{"status": "1", "datajson": {"data": rows}}]
    with pytest.raises(RemoteFault):
        await run(connect(**LOGIN), "save_mode_data", interface="items", records=TWO, key_fields="bm")


@pytest.mark.parametrize("saved", [1, 0])
async def test_what_stops_it_in_the_middle_says_whether_anything_was_saved(
    weaver: Any, connect: Connect, run: Run, saved: int
) -> None:
    weaver.answers[SAVE] = [{"status": saved}, web.Response(status=404)]
    with pytest.raises(BadConnection) as stopped:
        await run(connect(**LOGIN), "save_mode_data", interface="items", records=TWO, key_fields="bm", batch=1)
    assert stopped.value.partly_done is bool(saved)


async def test_a_refused_batch_that_is_stopped_in_the_middle_says_so_too(
    weaver: Any, connect: Connect, run: Run
) -> None:
    weaver.answers[SAVE] = [{"status": "0"}, {"status": "1"}, web.Response(status=404)]
    with pytest.raises(BadConnection) as stopped:
        await run(connect(**LOGIN), "save_mode_data", interface="items", records=TWO, key_fields="bm")
    assert stopped.value.partly_done
