"""The signed and encrypted messages of event pushes, from the platform's side of the wire.

DingTalk and WeCom share the scheme: AES-256-CBC, PKCS#7 padding to blocks of 32 bytes, and behind the message the owner
that it is meant for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any

from Crypto.Cipher import AES

__all__ = ["AesEnvelope", "BadEnvelope"]

_BLOCK = 32
_RANDOM = 16
_LENGTH = 4


class BadEnvelope(ValueError):
    """The other side's envelope is not what this subscription's key and token make."""


class AesEnvelope:
    """Encrypts, decrypts and signs messages of one event subscription.

    :param token: the token that signs
    :param aes_key: 43 characters, base64 of 32 bytes without the final "="
    :param owner: whom the messages are meant for (AppKey, CorpID)
    """

    def __init__(self, token: str, aes_key: str, owner: str) -> None:
        key = base64.b64decode(aes_key + "=", validate=True)
        if len(key) != _BLOCK:
            raise ValueError("the AES key must be 43 characters that stand for 32 bytes")
        self._token = token
        self._key = key
        self._owner = owner.encode()

    def encrypt(self, message: bytes) -> str:
        """The ciphertext of a message, base64."""
        length = len(message).to_bytes(_LENGTH, "big")
        plain = secrets.token_bytes(_RANDOM) + length + message + self._owner
        pad = _BLOCK - len(plain) % _BLOCK
        return base64.b64encode(self._cipher().encrypt(plain + bytes([pad]) * pad)).decode()

    def open(self, timestamp: str, nonce: str, encrypted: str, signature: str) -> bytes:
        """The message inside a signed ciphertext.

        :raises BadEnvelope: the signature or the owner differs, the text does not decrypt
        """
        if not hmac.compare_digest(signature.encode(), self.sign(timestamp, nonce, encrypted).encode()):
            raise BadEnvelope("the answer's msg_signature is wrong")
        try:
            padded = self._cipher().decrypt(base64.b64decode(encrypted, validate=True))
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

    def sign(self, *parts: str) -> str:
        """Hex SHA-1 over the token and the parts, sorted."""
        text = "".join(sorted((self._token, *parts)))
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def _cipher(self) -> Any:
        return AES.new(self._key, AES.MODE_CBC, iv=self._key[:16])
