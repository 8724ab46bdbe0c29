"""Takes secrets out of what another system says: an error page may repeat the request with all that it carried."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_plus, urlsplit

from pydantic import BaseModel, SecretStr

__all__ = ["blanked", "carried", "secrets_of"]

_BLANK = "***"
#: Shorter ones would blank words that are no secrets.
_SHORTEST = 4
#: Parameters and headers whose values open something: tokens, secrets, sessions, e-cology's encrypted user.
_PARAMETER = re.compile(r"token|secret|ticket|sign", re.I)
_HEADER = re.compile(r"token|secret|cookie|authorization|^userid$", re.I)


def secrets_of(settings: BaseModel) -> list[str]:
    """The secrets among the settings of a connection."""
    return [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]


def carried(url: str, headers: Mapping[str, str]) -> list[str]:
    """What a request carries that nobody is to read: parameters as they are and as they are sent, values of cookies."""
    found: list[str] = []
    for name, _, value in (pair.partition("=") for pair in urlsplit(url).query.split("&")):
        if _PARAMETER.search(name):
            found += [value, unquote_plus(value)]
    for name, value in headers.items():
        if _HEADER.search(name):
            found += [pair.partition("=")[2] for pair in value.split("; ")] if name.lower() == "cookie" else [value]
    return found


def blanked(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, also where it breaks off in the middle of one."""
    for secret in sorted({one for one in secrets if len(one) >= _SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, _BLANK)
        cut = next((n for n in range(len(secret) - 1, _SHORTEST - 1, -1) if text.endswith(secret[:n])), 0)
        if cut:
            text = text[:-cut] + _BLANK
    return text
