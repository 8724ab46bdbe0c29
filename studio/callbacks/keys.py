"""Random keys for an event subscription, as DingTalk takes them; pure but for the randomness."""

from __future__ import annotations

import base64
import secrets
import string

__all__ = ["new_aes_key", "new_token"]

_LETTERS = string.ascii_letters + string.digits
#: DingTalk takes 3 to 32.
_TOKEN_LENGTH = 32
_KEY_BYTES = 32


def new_token() -> str:
    """Letters and digits that sign events: 190 bits of chance."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_TOKEN_LENGTH))


def new_aes_key() -> str:
    """43 letters and digits: base64 of 32 random bytes without its final ``=``."""
    while True:
        # About every fourth try is without "+" and "/", which DingTalk's console refuses.
        key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode().rstrip("=")
        if key.isalnum():
            return key
