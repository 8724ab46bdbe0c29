"""The encrypted callback messages, against an implementation that nobody here wrote: ``dingtalk-sdk``."""

from __future__ import annotations

import base64

import pytest
from Crypto.Cipher import AES
from dingtalk.crypto import DingTalkCrypto
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.connectors.aes_callback import AesCallback
from runtime.errors import CallbackRejected

KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
TOKEN = "token123"
OWNER = "ding-app-key"

ours = AesCallback(TOKEN, KEY, [OWNER])
theirs = DingTalkCrypto(TOKEN, KEY, OWNER)

texts = st.one_of(
    st.text(max_size=200).filter(lambda text: text.isprintable()),
    st.text(alphabet="审批采购单同意拒绝", max_size=80),
    st.integers(0, 6).map(lambda blocks: "x" * (32 * blocks)),
    # 16 random bytes, 4 of length and the owner come on top: these make the whole plaintext a multiple of 32
    st.integers(1, 6).map(lambda blocks: "x" * (32 * blocks - (20 + len(OWNER)) % 32)),
)


@given(texts)
@example("")
@example("x" * 32)
@example("同意" * 40)
@example('{"EventType":"check_url"}')
def test_what_we_seal_they_open(text: str) -> None:
    encrypted = ours.encrypt(text)
    signature = ours.signature("1783610513", "n0nce", encrypted)
    assert theirs.decrypt_message({"encrypt": encrypted}, signature, "1783610513", "n0nce") == text


@given(texts)
@example("")
@example("x" * 32)
@example("同意" * 40)
def test_what_they_seal_we_open(text: str) -> None:
    sealed = theirs.encrypt_message(text, nonce="n0nce", timestamp="1783610513")
    assert (
        ours.open(sealed["encrypt"], signature=sealed["msg_signature"], timestamp="1783610513", nonce="n0nce") == text
    )


@given(texts)
def test_a_message_for_another_owner_fails_though_its_signature_passes(text: str) -> None:
    encrypted = AesCallback(TOKEN, KEY, ["somebody-else"]).encrypt(text)
    with pytest.raises(CallbackRejected, match="another owner"):
        ours.open(encrypted, signature=ours.signature("1", "2", encrypted), timestamp="1", nonce="2")


def test_every_configured_owner_is_accepted() -> None:
    channel = AesCallback(TOKEN, KEY, [OWNER, "corp-id"])
    assert channel.decrypt(AesCallback(TOKEN, KEY, ["corp-id"]).encrypt("hello")) == "hello"
    assert theirs.decrypt_message(
        {"encrypt": (sealed := channel.encrypt("hello"))}, channel.signature("1", "2", sealed), "1", "2"
    )


@pytest.mark.parametrize("part", ["signature", "timestamp", "nonce", "encrypted", "empty", "unicode"])
def test_a_forged_or_altered_message_is_rejected(part: str) -> None:
    encrypted = ours.encrypt("hello")
    parts = {"encrypted": encrypted, "signature": ours.signature("1", "2", encrypted), "timestamp": "1", "nonce": "2"}
    if part == "empty":
        parts["signature"] = ""
    elif part == "unicode":
        parts["signature"] = "签名"
    else:
        parts[part] = parts[part][:-1] + ("a" if parts[part][-1] != "a" else "b")
    with pytest.raises(CallbackRejected, match="signature"):
        ours.open(parts["encrypted"], signature=parts["signature"], timestamp=parts["timestamp"], nonce=parts["nonce"])


def sealed(plain: bytes) -> str:
    key = bytes(range(32))
    return base64.b64encode(AES.new(key, AES.MODE_CBC, iv=key[:16]).encrypt(plain)).decode()


@pytest.mark.parametrize(
    "encrypted",
    [
        "",
        "not base64!",
        "QUJD",
        base64.b64encode(b"x" * 33).decode(),
        ours.encrypt("hello")[:-4],
        ours.encrypt("hello" * 20)[: -4 * 11],
        sealed(b"r" * 31 + b"\x00"),
        sealed(b"r" * 31 + b"\x21"),
        sealed(b"r" * 30 + b"\x01\x02"),
        sealed(b"r" * 16 + b"\x00\x00\x00" + b"\x0d" * 13),
        sealed(b"r" * 16 + b"\xff\xff\xff\xff" + OWNER.encode() + b"\x20" * 32),
        sealed(b"r" * 16 + b"\x00\x00\x00\x02\xff\xfe" + OWNER.encode() + b"\x1e" * 30),
        AesCallback(TOKEN, base64.b64encode(b"k" * 32).decode().rstrip("="), [OWNER]).encrypt("hello"),
    ],
    ids=lambda _: "broken",  # the texts differ from one collection to the next, and the names must not
)
def test_a_broken_ciphertext_is_rejected(encrypted: str) -> None:
    with pytest.raises(CallbackRejected):
        ours.decrypt(encrypted)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_it_in_another_way(noise: bytes) -> None:
    with pytest.raises(CallbackRejected):
        ours.decrypt(base64.b64encode(noise).decode())
