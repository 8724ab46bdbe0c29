"""What WeCom's documents leave open: older and newer shapes of templates, details and values are all read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.connectors.events import Outcome
from runtime.connectors.registry import check_settings
from runtime.connectors.wecom.approvals import read_approval, same_approval
from runtime.connectors.wecom.forms import encode_form, parse_form
from runtime.connectors.wecom.reading import read_value
from runtime.connectors.wecom.values import encode_value
from runtime.errors import BadConnection, FormGone, ValueRefused
from runtime.mapping.forms import Control, ControlType

ZONE = ZoneInfo("Asia/Shanghai")


def title(text: str) -> list[dict[str, str]]:
    return [{"text": text, "lang": "zh_CN"}]


def part(user: str, status: int, at: int, speech: str = "") -> dict[str, Any]:
    return {"approver": {"userid": user}, "sp_status": status, "sptime": at, "speech": speech, "media_id": []}


RECORDS = [
    {"sp_status": 2, "approverattr": 1, "details": [part("a", 2, 100, "可以"), part("b", 1, 0)]},
    {"sp_status": 3, "approverattr": 1, "details": [part("c", 3, 200, " 太贵 ")]},
]
NODES = {
    "node_list": [
        {"node_type": 1, "sub_node_list": [{"userid": "a", "sp_yj": 2, "sptime": 100, "speech": "可以"}]},
        {"node_type": 1, "sub_node_list": [{"userid": "c", "sp_yj": 3, "sptime": 200, "speech": "太贵"}]},
        {"node_type": 2, "sub_node_list": [{"userid": "cc", "sp_yj": 2, "sptime": 300, "speech": ""}]},
    ]
}


#: Nodes that say nothing of the decisions.
BARE = {"node_list": [{"node_type": 1, "sub_node_list": [{"userid": "a"}, {"userid": "c"}]}]}


@pytest.mark.parametrize(
    "decided", [{"sp_record": RECORDS}, {"process_list": NODES}, {"sp_record": RECORDS, "process_list": BARE}]
)
def test_decisions_are_read_from_either_place(decided: dict[str, Any]) -> None:
    found = read_approval("1", {"sp_status": 3, "applyer": {"userid": "me"}, **decided}, ZONE)
    assert (found["outcome"], found["approver"]) == (Outcome.REFUSED, "c")
    assert (found["pass"], found["fail"], found["marks"]) == ("a", "c", "a:可以;c:太贵")
    assert found["finished_at"] == datetime.fromtimestamp(200, UTC)


def test_what_each_person_did_and_their_names_where_the_answer_tells_them() -> None:
    contents = [
        {"control": "Contact", "id": "Contact-1", "value": {"members": [{"userid": "c", "name": "陈经理"}]}},
        {
            "control": "Table",
            "id": "Table-1",
            "value": {
                "children": [
                    {
                        "list": [
                            {
                                "control": "Contact",
                                "id": "Contact-2",
                                "value": {"members": [{"userid": "a", "name": "安娜"}]},
                            }
                        ]
                    }
                ]
            },
        },
    ]
    comments = [
        {"commentUserInfo": {"userid": "c"}, "commenttime": 300, "commentcontent": "已电话确认"},
        {"commentUserInfo": {"userid": "d"}, "commenttime": 310, "commentcontent": "抄送"},
    ]  # fmt: skip
    info = {"sp_status": 3, "sp_record": RECORDS, "comments": comments, "apply_data": {"contents": contents}}
    assert read_approval("1", info, ZONE)["people"] == [
        {"user": "a", "name": "安娜", "outcome": "agreed", "words": "可以"},
        {"user": "c", "name": "陈经理", "outcome": "refused", "words": "太贵; 已电话确认"},
        {"user": "d", "name": "", "outcome": "", "words": "抄送"},
    ]


@pytest.mark.parametrize(
    ("status", "name", "outcome"),
    [
        (1, "RUNNING", None), ("2", "AGREED", Outcome.AGREED), (10, "PAID", Outcome.AGREED),
        (4, "WITHDRAWN", Outcome.WITHDRAWN), (6, "WITHDRAWN_AFTER_AGREEMENT", Outcome.WITHDRAWN),
        (7, "DELETED", None), (42, "42", None), (None, "", None),
    ],
)  # fmt: skip
def test_statuses(status: Any, name: str, outcome: Outcome | None) -> None:
    found = read_approval("1", {"sp_status": status}, ZONE)
    assert (found["status"], found["outcome"]) == (name, outcome)


def test_a_value_is_picked_by_its_control() -> None:
    """The detail carries empty keys of other kinds of control beside the one that counts."""
    value = {"tips": [], "members": [], "children": [], "text": "x", "new_number": "", "selector": {"options": []}}
    contents = [{"control": "Text", "id": "Text-1", "title": title("备注"), "value": value}]
    found = read_approval("1", {"apply_data": {"contents": contents}}, ZONE)
    assert found["values"] == {"备注": "x"}


def test_configurations_are_found_under_any_spelling() -> None:
    def control(vendor: str, config: dict[str, Any]) -> dict[str, Any]:
        return {"property": {"control": vendor, "id": f"{vendor}-1", "title": title(vendor)}, "config": config}

    option = {"key": "o-1", "value": [{"text": "One", "lang": "en"}, {"text": "一", "lang": "zh-CN"}]}
    answer = {
        "template_names": [{"text": "Request", "lang": "en"}],
        "template_content": {
            "controls": [
                control("DateRange", {"date_range": {"type": "hour"}}),
                control("Date", {"type": "hour"}),
                control("Selector", {"Selector": {"type": "multi", "options": [option, {}, "x"]}}),
                control("Contact", {"contact": {"type": "single", "mode": "department"}}),
                control("Table", {"children": [control("Text", {})]}),
                control("PunchCorrection", {}),
                "nonsense",
            ]
        },
    }
    form = parse_form("T-1", answer)
    assert form.title == "Request"
    assert [item.format for item in form.controls] == ["hour", "hour", "", "single", "", ""]
    assert [(option.key, option.label) for option in form.controls[2].options] == [("o-1", "一")]
    assert form.controls[4].children[0].id == "Text-1"
    assert (form.controls[5].type, form.controls[5].vendor) == (ControlType.OTHER, "PunchCorrection")
    with pytest.raises(FormGone):
        parse_form("T-1", {"template_content": {}})


def test_an_unanswered_attempt_is_compared_value_by_value() -> None:
    controls = {
        name: Control(id=f"x-{name}", label=name, type=kind)
        for name, kind in (("a", ControlType.TEXT), ("n", ControlType.NUMBER), ("d", ControlType.DATE))
    }
    submitted = encode_form({"a": "一", "n": "700", "d": "2026-11-23"}, controls, ZONE)

    def verdict(**changes: Any) -> bool | None:
        there = {"a": {"text": "一"}, "n": {"new_number": "700.00"}, "d": submitted[2]["value"], **changes}
        contents = [
            {"control": item["control"], "id": item["id"], "value": value}
            for item, value in zip(submitted, there.values(), strict=True)
        ]
        return same_approval(submitted, read_approval("1", {"apply_data": {"contents": contents}}, ZONE), ZONE)

    assert verdict() is True
    assert verdict(a={"text": "二"}) is False
    assert verdict(n={"new_number": "701"}) is False
    assert verdict(a={}, n={}, d={}) is None


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(["Asia/Shanghai", "UTC", "America/Sao_Paulo"]))
def test_a_date_comes_back_as_it_went(day: date, zone: str) -> None:
    control = Control(id="Date-1", label="日期", type=ControlType.DATE, format="day")
    value = encode_value(control, day, ZoneInfo(zone))
    assert read_value("Date", value, ZoneInfo(zone)) == day.isoformat()


@pytest.mark.parametrize(
    ("ends", "begin", "end", "days"),
    [
        (["2026-11-23", "2026-11-23"], "2026-11-23 00:00", "2026-11-23 12:00", "1"),
        (["2026-11-23 13:00", "2026-11-24 09:00"], "2026-11-23 12:00", "2026-11-24 00:00", "1"),
        (["2026-11-23 08:00", "2026-11-23 11:00"], "2026-11-23 00:00", "2026-11-23 00:00", "0.5"),
    ],
)
def test_half_days(ends: list[str], begin: str, end: str, days: str) -> None:
    control = Control(id="DateRange-1", label="时长", type=ControlType.DATERANGE, format="halfday")
    found = encode_value(control, ends, ZONE)["date_range"]
    moments = [f"{datetime.fromtimestamp(found[name], ZONE):%Y-%m-%d %H:%M}" for name in ("new_begin", "new_end")]
    assert moments == [begin, end]
    assert found["new_duration"] == float(days) * 86_400


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ControlType.SELECT, ["一", "二"]),
        (ControlType.SELECT, "三"),
        (ControlType.CONTACT, [""]),
        (ControlType.ATTACHMENT, [{}]),
        (ControlType.ADDRESS, {"title": "x"}),
        (ControlType.DATERANGE, "2026-11-23"),
        (ControlType.DATERANGE, ["2026-11-24", "2026-11-23"]),
        (ControlType.NOTE, "x"),
        (ControlType.OTHER, "x"),
        (ControlType.TEXT, {"a": 1}),
    ],
)
def test_what_does_not_fit(kind: ControlType, value: Any) -> None:
    options = ({"key": "1", "label": "一"}, {"key": "2", "label": "二"})
    control = Control.model_validate(
        {"id": "x-1", "label": "x", "type": kind, "vendor": "Vacation", "options": options if kind == "select" else ()}
    )
    with pytest.raises(ValueRefused):
        encode_value(control, value, ZONE)


def test_a_zone_that_does_not_exist_is_named() -> None:
    with pytest.raises(BadConnection, match="timezone"):
        check_settings("oa", {"kind": "wecom", "corp_id": "c", "secret": "s", "timezone": "Asia/Nowhere"})
