"""RSA as e-cology uses it: ``RSA/ECB/PKCS1Padding``, one block, Base64 on the wire.

e-cology 9 development documentation, Token 认证.
"""

from __future__ import annotations

import base64
import binascii
import re

from Crypto.Cipher import PKCS1_v1_5
from Crypto.PublicKey import RSA

__all__ = ["encrypt", "new_public_key", "read_public_key"]

_ARMOUR = re.compile(r"-----BEGIN [A-Z ]+-----(.*?)-----END [A-Z ]+-----", re.DOTALL)
#: Bits of the key that registering sends along; e-cology keeps it and never uses it.
_BITS = 2048


def read_public_key(text: str) -> RSA.RsaKey:
    """A public key: Base64 of the X.509 SubjectPublicKeyInfo, with or without line breaks, or PEM.

    :raises ValueError: it is something else, or a private key
    """
    found = _ARMOUR.search(text)
    body = "".join((found[1] if found else text).split())
    try:
        key = RSA.import_key(base64.b64decode(body, validate=True))
    except (binascii.Error, ValueError, IndexError, TypeError):
        raise ValueError("spk is an RSA public key: Base64 of its X.509 form, or PEM") from None
    if key.has_private():
        raise ValueError("spk is the server's public key; this is a private one")
    return key


def encrypt(text: str, key: RSA.RsaKey) -> str:
    """The text (UTF-8), encrypted and as Base64; different at every call.

    :raises ValueError: the text is longer than one block of this key
    """
    return base64.b64encode(PKCS1_v1_5.new(key).encrypt(text.encode())).decode()


def new_public_key() -> str:
    """A public key whose private half is forgotten at once, as Base64 (the header ``cpk``)."""
    return base64.b64encode(RSA.generate(_BITS).public_key().export_key("DER")).decode()
