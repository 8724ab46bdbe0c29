"""Who may call: registration, tokens, and the encrypted user id.

Follows "e-cology 9 development documentation, Token 认证". The key pair is made at the first registration and kept with
the sandbox's state; registering again replaces it together with the secret.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from Crypto.Cipher import PKCS1_v1_5
from Crypto.PublicKey import RSA

from runtime.sandbox import demo
from runtime.sandbox.storage import Storage
from runtime.sandbox.weaver.errors import login_failure

__all__ = ["Auth", "Denied"]

_COLLECTION = "weaver.auth"
_BITS = 2048
#: Seconds, where a client does not say.
_LIFETIME = 1800
_LOCKED = 99


class Denied(Exception):
    """A call that the login filter stops; ``body`` is its answer."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body.get("msg", ""))
        self.body = body


class Auth:
    """The demo application's registration and tokens.

    :param clock: seconds since the epoch
    """

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock
        kept = storage.load(_COLLECTION)
        self._secret: str = kept.get("secret", "")
        self._key = RSA.import_key(kept["key"]) if "key" in kept else None
        self._tokens: dict[str, float] = {token: float(ends) for token, ends in kept.get("tokens", {}).items()}
        #: Session cookie -> user; a session that a client brings along wins over its ``userid``.
        self._sessions: dict[str, int] = {}

    def register(self, app_id: str | None, bits: int = _BITS) -> dict[str, str]:
        """A new key pair and secret; those of any earlier registration are void.

        :raises Denied: no licence for this appid
        """
        if app_id != demo.WEAVER_APP_ID:
            raise Denied({"code": -1, "status": False, "errmsg": "appid不存在，请先申请许可证"})
        self._key = RSA.generate(bits)
        self._secret = str(uuid.uuid4())
        self._storage.put(_COLLECTION, "key", self._key.export_key("PEM").decode())
        self._storage.put(_COLLECTION, "secret", self._secret)
        self.expire()
        return self.registration()

    def registration(self) -> dict[str, str]:
        """The secret and the public key in force; registers if nobody has."""
        if self._key is None:
            return self.register(demo.WEAVER_APP_ID)
        public = self._key.public_key().export_key("DER")
        return {"secret": self._secret, "spk": base64.b64encode(public).decode()}

    def issue(self, app_id: str | None, secret: str | None, lifetime: str | None) -> str:
        """A token.

        :raises Denied: the secret cannot be decrypted, or is not the one in force
        """
        if app_id != demo.WEAVER_APP_ID:
            raise Denied(login_failure("认证信息错误：appid"))
        opened = self._open(secret)
        if opened is None:
            raise Denied(login_failure("secret解密失败,请检查加密内容."))
        if opened != self._secret:
            raise Denied(login_failure("认证信息错误：secret"))
        seconds = int(lifetime) if lifetime is not None and lifetime.isdecimal() else _LIFETIME
        token = str(uuid.uuid4())
        self._tokens[token] = self._clock() + seconds
        self._storage.put(_COLLECTION, "tokens", self._tokens)
        return token

    def user(self, app_id: str | None, token: str | None, user_id: str | None, session: str | None) -> int:
        """Who is calling.

        :raises Denied: the token or the user is not accepted
        """
        if session in self._sessions:
            return self._sessions[session]
        if app_id != demo.WEAVER_APP_ID or token is None or user_id is None:
            raise Denied({"msg": "登录信息超时", "errorCode": "002", "status": False})
        if self._tokens.get(token, 0.0) <= self._clock():
            raise Denied(login_failure(f"token不存在或者超时：{token}"))
        opened = self._open(user_id) or ""
        number = int(opened) if opened.isdecimal() else 0
        if number not in demo.WEAVER_USERS or number == _LOCKED:
            raise Denied(login_failure("该账号存在异常,单点登录失败"))
        return number

    def open_session(self, user: int) -> str:
        """A session cookie's value."""
        session = secrets.token_hex(16)
        self._sessions[session] = user
        return session

    def expire(self) -> None:
        """Every token ends now."""
        self._tokens.clear()
        self._storage.put(_COLLECTION, "tokens", self._tokens)

    def _open(self, sealed: str | None) -> str | None:
        """What was encrypted with the public key; None if it is anything else."""
        if self._key is None or not sealed:
            return None
        try:
            opened = PKCS1_v1_5.new(self._key).decrypt(base64.b64decode(sealed, validate=True), b"")
            return opened.decode() or None
        except (binascii.Error, ValueError):
            return None
