"""Logs: one event per line, and never a secret in them."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.engine import RunRequest, RunSummary
from runtime.errors import CannotStart, Unreachable
from runtime.service.dispatcher import _report
from runtime.service.logs import configure_logs, scrub


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize(
    "event",
    [
        {"password": "geheim-1"},
        {"app_secret": "geheim-1"},
        {"connection": {"settings": [{"aes_key": "geheim-1"}]}},
        {"event": "GET https://oapi.dingtalk.com/gettoken?appkey=k&appsecret=geheim-1&x=1"},
        {"error": 'login failed: {"UserName": "manager", "Password": "geheim-1"}'},
        {"state": "postgresql+psycopg://b1:geheim-1@db:5432/b1"},
        {"headers": {"X-Apig-AppCode": "geheim-1", "Cookie": "B1SESSION=geheim-1"}},
        {"text": "Set-Cookie: B1SESSION=geheim-1; path=/"},
    ],
)
def test_a_secret_never_reaches_the_log(event: dict[str, object]) -> None:
    assert "geheim-1" not in json.dumps(scrub(None, "", dict(event)))


@given(st.text(max_size=200))
def test_scrubbing_leaves_harmless_texts_alone(text: str) -> None:
    event = {"where": text.replace("=", "").replace(":", "")}
    assert scrub(None, "", dict(event)) == event


NAMES = st.sampled_from(["secret", "token", "access_token", "appSecret", "Password", "X-Apig-AppCode", "signature"])
WORDS = st.lists(st.sampled_from(["old", "spk", "key", "wrong", "OA", "date"]), min_size=1, max_size=4).map(" ".join)
VALUES = st.text("abcxyzABC019-_.~+/", min_size=6, max_size=40).filter(lambda text: text.strip("-_.~+/") == text)


@given(NAMES, st.sampled_from(["it is", "ask for", "the", "check", "its", "no", "not a"]), WORDS)
def test_a_colon_in_prose_hides_nothing(name: str, begins: str, words: str) -> None:
    for text in (f"The OA does not accept the {name}: {begins} {words}", f"{name}: {begins} {words} (again)"):
        assert scrub(None, "", {"text": text}) == {"text": text}


@given(NAMES, VALUES, VALUES)
def test_a_secret_is_hidden_however_it_is_written(name: str, secret: str, more: str) -> None:
    for text in (
        f"{name}={secret}",
        f"{name}={more}\\{secret}",
        f"call with {name} = {secret} went wrong",
        f"https://example.com/x?a=1&{name}={secret}&b=2",
        f"{name}: {secret}",
        f"{name}: {secret} was not accepted",
        json.dumps({name: f"{secret} {more}", "more": 1}),
        json.dumps({name: f'{more}"{secret}'}),
        json.dumps(json.dumps({name: f"{more} {secret}"})),
        repr({name: f"{more} {secret}"}),
        f"Authorization: Bearer {secret}",
    ):
        said = scrub(None, "", {"text": text})["text"]
        assert secret not in said
        assert "***" in said


def test_what_stands_beside_a_secret_is_still_to_be_read() -> None:
    text = json.dumps({"user": "manager", "password": "x y z", "company": "DEMO"})
    assert scrub(None, "", {"text": text})["text"] == text.replace("x y z", "***")


def test_json_logs_are_one_object_per_line_also_for_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    structlog.get_logger("a").info("映射已加载", mapping="x")
    logging.getLogger("some.library").warning("token=abc %s", "formatted")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first["event"] == "映射已加载"
    assert first["level"] == "info"
    assert first["mapping"] == "x"
    assert second["event"] == "token=*** formatted"


def test_the_level_is_respected(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "console")
    structlog.get_logger("a").info("quiet")
    structlog.get_logger("a").warning("loud")
    assert "loud" in (err := capsys.readouterr().err)
    assert "quiet" not in err


def test_another_level_is_refused_in_words() -> None:
    with pytest.raises(CannotStart, match="B1_LOG"):
        configure_logs("chatty", "console")


def test_no_log_call_uses_a_name_that_is_taken() -> None:
    """``event=`` would raise in the middle of whatever is being done; others would hide what the log says itself."""
    taken = {"event", "level", "timestamp", "stack"}
    wrong = []
    root = Path(__file__).parents[2]
    for folder in ("runtime", "studio"):
        for path in (root / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and ast.unparse(call.func).startswith(("log.", "write")):
                    wrong += [f"{path}:{call.lineno}" for one in call.keywords if one.arg in taken]
    assert not wrong


@pytest.mark.parametrize("place", ["error", "problem"])
def test_a_run_that_failed_says_why_in_both_languages(place: str) -> None:
    error = Unreachable("连不上", "It cannot be reached", where="b1")
    told: dict[str, Any] = {place: error}
    summary = RunSummary(run_id="r1", state="failed", **told)
    with structlog.testing.capture_logs() as lines:
        _report({"mapping": "m", "flow": "f"}, RunRequest(cause="schedule"), summary)
    [line] = lines
    assert (line["event"], line["zh"], line["en"]) == ("run finished", error.sentence("zh-CN"), error.sentence("en"))
