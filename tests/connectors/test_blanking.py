"""Secrets taken out of what other systems say, wherever the text breaks off."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.connectors.blanking import blanked, carried

SECRETS = st.lists(st.text("abc", min_size=4, max_size=12), min_size=1, max_size=4)


@given(SECRETS, st.data())
def test_nothing_of_a_secret_remains(secrets: list[str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from([*secrets, "x", " ", "ab"]), max_size=8))
    text = "".join(parts)
    left = blanked(text[: data.draw(st.integers(0, len(text)))], secrets)
    assert not any(secret in left for secret in secrets)
    assert not any(left.endswith(secret[:size]) for secret in secrets for size in range(4, len(secret)))


@given(st.text(), st.text("xyz", min_size=4))
def test_a_text_without_secrets_stays_as_it_is(text: str, secret: str) -> None:
    if secret[:4] not in text:
        assert blanked(text, [secret]) == text


def test_short_texts_are_no_secrets() -> None:
    assert blanked("a manager of all", ["a", "", "all"]) == "a manager of all"


def test_what_a_request_carries() -> None:
    url = "https://qyapi.example.com/cgi-bin/gettoken?corpid=ww1&corpsecret=a%2Bb&access_token=t-1"
    headers = {"Cookie": "B1SESSION=s-1; ROUTEID=.node1", "token": "t-2", "userid": "RSA==", "appid": "EEAA", "X": "y"}
    assert carried(url, headers) == ["a%2Bb", "a+b", "t-1", "t-1", "s-1", ".node1", "t-2", "RSA=="]
    assert carried("https://oa.example.com/api?userid=lisi", {}) == []
