"""The envelope of an HTTP event push, from DingTalk's side of the wire.

Follows "DingTalk open platform, 事件订阅 - HTTP 推送 (消息体加解密)".
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from runtime.sandbox.oa.envelope import AesEnvelope, BadEnvelope

__all__ = ["BadEnvelope", "Envelope"]


class Envelope(AesEnvelope):
    """Seals pushes and opens their answers; the owner is the AppKey of an internal app."""

    def seal(self, message: bytes) -> tuple[dict[str, str], dict[str, str]]:
        """The query parameters and the JSON body of a push."""
        encrypted = self.encrypt(message)
        timestamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(8)
        signature = self.sign(timestamp, nonce, encrypted)
        query = {"signature": signature, "msg_signature": signature, "timestamp": timestamp, "nonce": nonce}
        return query, {"encrypt": encrypted}

    def open_answer(self, answer: Any) -> bytes:
        """The message inside a subscriber's answer ``{msg_signature, timeStamp, nonce, encrypt}``.

        :raises BadEnvelope: a field is missing, the signature or the owner differs, the text does not decrypt
        """
        if not isinstance(answer, Mapping):
            raise BadEnvelope("the answer is not a JSON object")
        try:
            parts = [str(answer[name]) for name in ("timeStamp", "nonce", "encrypt", "msg_signature")]
        except KeyError as error:
            raise BadEnvelope(f"the answer lacks {error}") from error
        return self.open(*parts)
