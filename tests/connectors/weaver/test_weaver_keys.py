"""RSA agrees with ``cryptography`` and openssl in both directions, whatever the key's size and notation."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.connectors.registry import open_connector
from runtime.connectors.weaver.keys import encrypt, new_public_key, read_public_key
from runtime.errors import BadConnection
from runtime.sandbox import demo
from runtime.sandbox.storage import Storage
from runtime.sandbox.weaver.auth import Auth

KEYS = {bits: rsa.generate_private_key(public_exponent=65537, key_size=bits) for bits in (1024, 2048)}


def notations(key: rsa.RSAPrivateKey) -> dict[str, str]:
    public = key.public_key()
    der = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {
        "base64": der,
        "lines": "\r\n".join(der[at : at + 64] for at in range(0, len(der), 64)) + "\n",
        "pem": pem,
        "pem on one line": pem.replace("\n", " "),
        "pkcs1": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode(),
    }


@pytest.mark.parametrize("bits", [1024, 2048])
@settings(max_examples=20)
@given(text=st.text(max_size=29))
def test_what_we_encrypt_cryptography_opens(bits: int, text: str) -> None:
    for notation in notations(KEYS[bits]).values():
        sealed = encrypt(text, read_public_key(notation))
        assert len(base64.b64decode(sealed)) == bits // 8
        assert KEYS[bits].decrypt(base64.b64decode(sealed), padding.PKCS1v15()).decode() == text


@pytest.mark.parametrize("bits", [1024, 2048])
def test_what_we_encrypt_openssl_opens(bits: int, tmp_path: Path) -> None:
    key = KEYS[bits].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(key)
    sealed = base64.b64decode(encrypt("15", read_public_key(notations(KEYS[bits])["base64"])))
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", "key.pem", "-pkeyopt", "rsa_padding_mode:pkcs1"]
    assert subprocess.run(command, input=sealed, capture_output=True, cwd=tmp_path, check=True).stdout == b"15"


@pytest.mark.parametrize("bits", [1024, 2048])
def test_what_cryptography_encrypts_the_double_opens(bits: int) -> None:
    auth = Auth(Storage(), lambda: 0.0)
    given = auth.register(demo.WEAVER_APP_ID, bits)
    public: Any = load_der_public_key(base64.b64decode(given["spk"]))
    assert public.key_size == bits

    def sealed(text: str) -> str:
        return base64.b64encode(public.encrypt(text.encode(), padding.PKCS1v15())).decode()

    token = auth.issue(demo.WEAVER_APP_ID, sealed(given["secret"]), "60")
    assert auth.user(demo.WEAVER_APP_ID, token, sealed("15"), None) == 15


def test_encrypting_twice_never_gives_the_same_and_a_long_text_does_not_fit() -> None:
    key = read_public_key(new_public_key())
    assert encrypt("15", key) != encrypt("15", key)
    with pytest.raises(ValueError):
        encrypt("x" * 246, key)


@pytest.mark.parametrize(
    "wrong", ["nonsense", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "private"]
)
def test_what_is_no_public_key_is_refused_and_never_shown(wrong: str) -> None:
    if wrong == "private":
        wrong = KEYS[1024].private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    with pytest.raises(ValueError):
        read_public_key(wrong)
    settings = {"kind": "weaver", "base_url": "http://127.0.0.1:1", "app_id": "A", "spk": wrong}
    with pytest.raises(BadConnection, match="spk") as caught:
        open_connector("oa", settings)
    assert wrong not in str(caught.value)
