"""Secrets at rest: AES-256-GCM under keys that live outside the database.

The key file (and ``B1_SECRET_KEY``) holds one key, or during a rotation several: the first one seals, every one of them
opens. So there is no moment at which what is stored cannot be opened, wherever a rotation breaks off.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from Crypto.Cipher import AES

from runtime import jsontext
from runtime.errors import KeyOutOfPlace, SecretsLocked

__all__ = ["Vault"]

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
#: First byte of everything sealed: the format.
_FORMAT = b"\x01"
#: What others than the owner may do with a file.
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

#: What tells one state of the key file from another: inode, time of change in ns, size, mode.
_Signature = tuple[int, int, int, int]


class Vault:
    """Seals and opens dicts of secrets. A key file that changes is read again, also in a process that runs for months.

    :param key_file: file with the key in base64, created with mode 0600 when something is sealed for the first time
    :param key: the key itself (base64, 32 bytes; several ones separated by spaces or commas), where the platform hands
        it over; then the file is not used
    """

    def __init__(self, key_file: Path, key: str = "") -> None:
        self._key_file = key_file
        self._given = key.strip()
        self._cached: tuple[_Signature | None, tuple[bytes, ...]] | None = None

    @property
    def where(self) -> str:
        """Where the key comes from: ``B1_SECRET_KEY`` or the path of the file."""
        return "B1_SECRET_KEY" if self._given else str(self._key_file)

    @property
    def given(self) -> bool:
        """Whether the environment hands the key over, which then nobody here can change."""
        return bool(self._given)

    @property
    def key_count(self) -> int:
        """How many keys there are: more than one during a rotation.

        :raises SecretsLocked: there is no usable key
        """
        return len(self._keys())

    def seal(self, values: Mapping[str, Any], *, context: str = "") -> bytes:
        """Encrypt and authenticate.

        :param context: what the secrets belong to; opening needs the same, so that a blob cannot be moved elsewhere
        :raises SecretsLocked: the key is unusable, or its file cannot be created
        """
        if not self._given and not self._key_file.exists():
            self._create_key()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AES.new(self._keys()[0], AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(_FORMAT + context.encode())
        sealed, tag = cipher.encrypt_and_digest(jsontext.dumps(dict(values)))
        return _FORMAT + nonce + tag + sealed

    def open(self, sealed: bytes, *, context: str = "") -> dict[str, Any]:
        """Decrypt what :meth:`seal` returned.

        :raises SecretsLocked: the key is missing or another one, or the blob was changed
        """
        for key in self._keys():
            text = _decrypted(key, sealed, context)
            if text is not None:
                values: dict[str, Any] = jsontext.loads(text)
                return values
        raise SecretsLocked(
            f"{self.where} 中的密钥打不开已保存的密码：它不是加密时所用的那一把",
            f"The key in {self.where} does not open the stored secrets: it is not the one that sealed them",
            where=context or self.where,
        )

    def add_key(self) -> None:
        """Begin a rotation: a new key in front of those that are there, in a file that is replaced at once.

        :raises SecretsLocked: there is no usable key, or the file cannot be written
        """
        self._replace_file([secrets.token_bytes(_KEY_BYTES), *self._keys()])

    def keep_first_key(self) -> None:
        """End a rotation: nothing is sealed by the older keys any more.

        :raises SecretsLocked: the file cannot be written
        """
        self._replace_file(self._keys()[:1])

    def remove_first_key(self) -> None:
        """Take :meth:`add_key` back, when nothing was sealed by the new key.

        :raises SecretsLocked: the file cannot be written
        """
        self._replace_file(self._keys()[1:])

    def _keys(self) -> tuple[bytes, ...]:
        """The key that seals, and behind it the older ones that still open."""
        signature = None if self._given else self._signature()
        if self._cached is None or self._cached[0] != signature:
            self._cached = (signature, self._read())
        return self._cached[1]

    def _signature(self) -> _Signature:
        try:
            found = self._key_file.stat()
        except FileNotFoundError as error:
            raise SecretsLocked(
                "密钥文件不存在，无法打开已保存的密码",
                "The key file does not exist, so the stored secrets cannot be opened",
                where=self.where,
            ) from error
        except OSError as error:
            raise self._unreadable(error) from error
        if os.name == "posix" and found.st_mode & _OTHERS:
            raise KeyOutOfPlace(
                f"密钥文件允许其他用户访问（{stat.S_IMODE(found.st_mode):04o}），因此不使用它；"
                f"请执行 chmod 600 {self._key_file}，若可能已被读取，再执行 b1-runtime connections rotate-key",
                f"Other users may access the key file ({stat.S_IMODE(found.st_mode):04o}), so it is not used: run "
                f"chmod 600 {self._key_file}, and if somebody may have read it, b1-runtime connections rotate-key",
                where=self.where,
            )
        return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode

    def _read(self) -> tuple[bytes, ...]:
        try:
            words = (self._given or self._key_file.read_text("ascii")).replace(",", " ").split()
            keys = tuple(base64.b64decode(word, validate=True) for word in words)
        except OSError as error:
            raise self._unreadable(error) from error
        except ValueError:
            # Without its cause: that would show what is not quite a key.
            raise SecretsLocked("密钥不是 Base64", "The key is not base64", where=self.where) from None
        if not keys or any(len(key) != _KEY_BYTES for key in keys):
            raise SecretsLocked("密钥必须是 32 字节", "The key must have 32 bytes", where=self.where)
        return keys

    def _unreadable(self, error: OSError) -> SecretsLocked:
        return SecretsLocked(
            "无法读取密钥文件", "The key file cannot be read", where=self.where, remote=error.strerror or ""
        )

    def _create_key(self) -> None:
        """Another process sees no key or a whole one; of several that create one at the same moment the first wins."""
        aside = self._write_aside([secrets.token_bytes(_KEY_BYTES)])
        try:
            os.link(aside, self._key_file)
        except FileExistsError:
            return
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            aside.unlink()

    def _replace_file(self, keys: Sequence[bytes]) -> None:
        aside = self._write_aside(keys)
        try:
            aside.replace(self._key_file)
            _flush_folder(self._key_file.parent)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise self._unwritable(error) from error

    def _write_aside(self, keys: Sequence[bytes]) -> Path:
        aside = self._key_file.with_name(f"{self._key_file.name}.{os.getpid()}-{secrets.token_hex(4)}")
        try:
            self._key_file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(base64.b64encode(key) + b"\n" for key in keys)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error
        return aside

    def _unwritable(self, error: OSError) -> SecretsLocked:
        return SecretsLocked(
            "无法写入密钥文件", "The key file cannot be written", where=self.where, remote=error.strerror or ""
        )


def _decrypted(key: bytes, sealed: bytes, context: str) -> bytes | None:
    start = len(_FORMAT)
    nonce = sealed[start : start + _NONCE_BYTES]
    tag = sealed[start + _NONCE_BYTES : start + _NONCE_BYTES + _TAG_BYTES]
    try:
        cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(sealed[:start] + context.encode())
        return cipher.decrypt_and_verify(sealed[start + _NONCE_BYTES + _TAG_BYTES :], tag)
    except ValueError:
        return None


def _flush_folder(folder: Path) -> None:
    """The new name is on the disk, not only in memory: a power loss must not bring the old file back."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
