"""The signed and AES-encrypted messages that DingTalk and WeCom exchange with a callback address.

DingTalk open platform, 回调事件消息体加解密; WeCom, 加解密方案说明. AES-256-CBC; the initialisation vector is the first
half of the key; PKCS#7 padding to blocks of 32 bytes; plaintext = 16 random bytes, 4 bytes of length (big-endian), the
message in UTF-8, and the owner that the message is meant for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Annotated

from Crypto.Cipher import AES
from Crypto.Cipher._mode_cbc import CbcMode
from pydantic import AfterValidator, SecretStr

from runtime.errors import CallbackRejected

__all__ = ["AesCallback", "AesKey"]

_BLOCK = 32
_PREFIX = 16


def _has_32_bytes(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        valid = not text or (len(text) == 43 and len(base64.b64decode(text + "=", validate=True)) == _BLOCK)
    except (binascii.Error, ValueError):
        valid = False
    if not valid:
        raise ValueError("an aes_key has 43 letters and digits (base64 of 32 bytes)")
    return value


#: The key of a callback address as a setting; empty where none is kept.
AesKey = Annotated[SecretStr, AfterValidator(_has_32_bytes)]


class AesCallback:
    """Verifies, opens and seals the messages of one connection.

    :param token: secret that signatures are made with
    :param aes_key: 43 characters, base64 of the 32-byte key without its final ``=``
    :param owners: whom a message may be meant for (AppKey, CorpId …); messages are sealed for the first
    :param where: name of the connection, for errors
    """

    def __init__(self, token: str, aes_key: str, owners: Sequence[str], *, where: str = "") -> None:
        self._token = token
        self._key = base64.b64decode(aes_key + "=")
        self._owners = [owner.encode() for owner in owners]
        self._where = where

    def signature(self, timestamp: str, nonce: str, encrypted: str) -> str:
        """Lower-case hex SHA-1 over token, timestamp, nonce and ciphertext, sorted as strings and joined."""
        joined = "".join(sorted([self._token, timestamp, nonce, encrypted]))
        return hashlib.sha1(joined.encode()).hexdigest()  # noqa: S324 - the platforms' own scheme

    def open(self, encrypted: str, *, signature: str, timestamp: str, nonce: str) -> str:
        """Verify the signature in constant time, then decrypt.

        :raises CallbackRejected: the signature is wrong, or :meth:`decrypt` rejects the message
        """
        expected = self.signature(timestamp, nonce, encrypted)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise self._rejected("回调签名不正确", "The callback's signature is wrong")
        return self.decrypt(encrypted)

    def decrypt(self, encrypted: str) -> str:
        """The message inside a ciphertext whose signature has been verified.

        :raises CallbackRejected: not base64, truncated, wrongly padded, or encrypted for somebody else
        """
        try:
            ciphertext = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._rejected("回调密文不是 base64", "The callback's ciphertext is not base64") from error
        if len(ciphertext) < _BLOCK or len(ciphertext) % AES.block_size:
            raise self._rejected("回调密文不完整", "The callback's ciphertext is truncated")
        padded = self._cipher().decrypt(ciphertext)
        pad = padded[-1]
        if not 1 <= pad <= _BLOCK or padded[-pad:] != bytes([pad]) * pad:
            raise self._rejected(
                "回调密文填充不正确，aes_key 可能不对", "The callback's padding is wrong; the aes_key may be wrong"
            )
        plain = padded[_PREFIX:-pad]
        length = int.from_bytes(plain[:4], "big") if len(plain) >= 4 else len(padded)
        if 4 + length > len(plain):
            raise self._rejected("回调消息长度不正确", "The callback's message length is wrong")
        message, owner = plain[4 : 4 + length], plain[4 + length :]
        if not any(hmac.compare_digest(owner, known) for known in self._owners):
            raise self._rejected("回调不是发给本连接的", "The callback is meant for another owner")
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            raise self._rejected("回调消息不是 UTF-8", "The callback's message is not UTF-8") from error

    def encrypt(self, message: str) -> str:
        """The ciphertext of a message, base64."""
        text = message.encode()
        plain = secrets.token_bytes(_PREFIX) + len(text).to_bytes(4, "big") + text + self._owners[0]
        pad = _BLOCK - len(plain) % _BLOCK
        return base64.b64encode(self._cipher().encrypt(plain + bytes([pad]) * pad)).decode()

    def _cipher(self) -> CbcMode:
        return AES.new(self._key, AES.MODE_CBC, iv=self._key[:16])

    def _rejected(self, zh: str, en: str) -> CallbackRejected:
        return CallbackRejected(zh, en, where=self._where)
