"""The envelope of an HTTP event push, from DingTalk's side of the wire.

Follows "DingTalk open platform, 事件订阅 - HTTP 推送 (消息体加解密)".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Any

from Crypto.Cipher import AES

__all__ = ["BadEnvelope", "Envelope"]

_BLOCK = 32
_RANDOM = 16
_LENGTH = 4


class BadEnvelope(ValueError):
    """The other side's envelope is not what this subscription's key and token make."""


class Envelope:
    """Seals and opens messages of one event subscription.

    :param token: the token that signs
    :param aes_key: 43 characters, base64 of 32 bytes without the final "="
    :param owner: AppKey of an internal app
    """

    def __init__(self, token: str, aes_key: str, owner: str) -> None:
        key = base64.b64decode(aes_key + "=", validate=True)
        if len(key) != _BLOCK:
            raise ValueError("the AES key must be 43 characters that stand for 32 bytes")
        self._token = token
        self._key = key
        self._owner = owner.encode()

    def seal(self, message: bytes) -> tuple[dict[str, str], dict[str, str]]:
        """The query parameters and the JSON body of a push."""
        length = len(message).to_bytes(_LENGTH, "big")
        plain = secrets.token_bytes(_RANDOM) + length + message + self._owner
        pad = _BLOCK - len(plain) % _BLOCK
        encrypted = base64.b64encode(self._cipher().encrypt(plain + bytes([pad]) * pad)).decode()
        timestamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(8)
        signature = self._sign(timestamp, nonce, encrypted)
        query = {"signature": signature, "msg_signature": signature, "timestamp": timestamp, "nonce": nonce}
        return query, {"encrypt": encrypted}

    def open_answer(self, answer: Any) -> bytes:
        """The message inside a subscriber's answer ``{msg_signature, timeStamp, nonce, encrypt}``.

        :raises BadEnvelope: a field is missing, the signature or the owner differs, the text does not decrypt
        """
        if not isinstance(answer, Mapping):
            raise BadEnvelope("the answer is not a JSON object")
        try:
            parts = [str(answer[name]) for name in ("timeStamp", "nonce", "encrypt")]
            signature = str(answer["msg_signature"])
        except KeyError as error:
            raise BadEnvelope(f"the answer lacks {error}") from error
        if not hmac.compare_digest(signature.encode(), self._sign(*parts).encode()):
            raise BadEnvelope("the answer's msg_signature is wrong")
        try:
            padded = self._cipher().decrypt(base64.b64decode(parts[2], validate=True))
        except ValueError as error:
            raise BadEnvelope("the answer does not decrypt") from error
        pad = padded[-1] if padded else 0
        if not 1 <= pad <= _BLOCK or padded[-pad:] != bytes([pad]) * pad:
            raise BadEnvelope("the answer does not decrypt")
        plain: bytes = padded[:-pad]
        start = _RANDOM + _LENGTH
        end = start + int.from_bytes(plain[_RANDOM:start], "big")
        if len(plain) < start or plain[end:] != self._owner:
            raise BadEnvelope("the answer belongs to another app")
        return plain[start:end]

    def _cipher(self) -> Any:
        return AES.new(self._key, AES.MODE_CBC, iv=self._key[:16])

    def _sign(self, *parts: str) -> str:
        text = "".join(sorted((self._token, *parts)))
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
