"""Secrets at rest: AES-256-GCM under a key that lives outside the database."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from Crypto.Cipher import AES

from runtime import jsontext
from runtime.errors import SecretsLocked

__all__ = ["Vault"]

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
#: First byte of everything sealed: the format.
_FORMAT = b"\x01"


class Vault:
    """Seals and opens dicts of secrets.

    :param key_file: file with the key in base64, created with mode 0600 when something is sealed for the first time
    :param key: the key itself (base64, 32 bytes), where the platform hands it over; then the file is not used
    """

    def __init__(self, key_file: Path, key: str = "") -> None:
        self._key_file = key_file
        self._given = key

    def seal(self, values: Mapping[str, Any], *, context: str = "") -> bytes:
        """Encrypt and authenticate.

        :param context: what the secrets belong to; opening needs the same, so that a blob cannot be moved elsewhere
        :raises SecretsLocked: the key is unusable, or its file cannot be created
        """
        if not self._given and not self._key_file.exists():
            self._create_key()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(_FORMAT + context.encode())
        sealed, tag = cipher.encrypt_and_digest(jsontext.dumps(dict(values)))
        return _FORMAT + nonce + tag + sealed

    def open(self, sealed: bytes, *, context: str = "") -> dict[str, Any]:
        """Decrypt what :meth:`seal` returned.

        :raises SecretsLocked: the key is missing or another one, or the blob was changed
        """
        start = len(_FORMAT)
        nonce = sealed[start : start + _NONCE_BYTES]
        tag = sealed[start + _NONCE_BYTES : start + _NONCE_BYTES + _TAG_BYTES]
        try:
            cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
            cipher.update(sealed[:start] + context.encode())
            text = cipher.decrypt_and_verify(sealed[start + _NONCE_BYTES + _TAG_BYTES :], tag)
        except ValueError as error:
            raise SecretsLocked(
                "密钥与加密的密码不匹配", "The key does not open these secrets", where=context or str(self._key_file)
            ) from error
        values: dict[str, Any] = jsontext.loads(text)
        return values

    @cached_property
    def _key(self) -> bytes:
        where = "B1_SECRET_KEY" if self._given else str(self._key_file)
        try:
            encoded = self._given or self._key_file.read_text("ascii")
            key = base64.b64decode(encoded.strip(), validate=True)
        except OSError as error:
            raise SecretsLocked(
                "无法读取密钥文件", "The key file cannot be read", where=where, remote=error.strerror or ""
            ) from error
        except ValueError as error:
            raise SecretsLocked("密钥不是 Base64", "The key is not base64", where=where) from error
        if len(key) != _KEY_BYTES:
            raise SecretsLocked("密钥必须是 32 字节", "The key must have 32 bytes", where=where)
        return key

    def _create_key(self) -> None:
        """Written aside and linked into place: another process sees no key or a whole one, never half of one."""
        aside = self._key_file.with_name(f"{self._key_file.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            self._key_file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(aside, self._key_file)
            except FileExistsError:
                return
            finally:
                aside.unlink()
        except OSError as error:
            raise SecretsLocked(
                "无法创建密钥文件",
                "The key file cannot be created",
                where=str(self._key_file),
                remote=error.strerror or "",
            ) from error
