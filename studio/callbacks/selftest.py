"""The self-test of a DingTalk callback: the same request as when its address is saved in DingTalk's console.

DingTalk open platform, 配置 HTTP 推送: a signed, encrypted ``check_url`` event, answered by an encrypted ``success``.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from http import HTTPStatus
from typing import Any, Literal

import aiohttp

from runtime import jsontext
from runtime.connectors.aes_callback import AesCallback
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.errors import CallbackRejected

__all__ = ["Verdict", "channel_of", "check", "judge", "question"]

#: What a self-test established.
Verdict = Literal[
    "ok",
    "not_running",
    "no_keys",
    "no_test",
    "unreachable",
    "refused",
    "missing",
    "unavailable",
    "other_keys",
    "stranger",
]

#: Seconds to wait for the answer; DingTalk itself waits 1.5.
_PATIENCE = 10.0
#: Seconds after which a live runtime has taken up changed settings.
_TAKEN_UP = 1.5
#: Bytes; the real answer has a few hundred.
_LARGEST_ANSWER = 100_000
_MEANING: dict[int, Verdict] = {
    HTTPStatus.FORBIDDEN: "refused",
    HTTPStatus.NOT_FOUND: "missing",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}


def channel_of(name: str, settings: DingTalkSettings) -> AesCallback | None:
    """What seals messages for a connection, or None if it has no keys."""
    aes_key, token = settings.aes_key.get_secret_value(), settings.token.get_secret_value()
    return AesCallback(token, aes_key, settings.owners, where=name) if aes_key and token else None


def question(channel: AesCallback) -> tuple[dict[str, str], bytes]:
    """Query and body of a ``check_url`` request."""
    encrypted = channel.encrypt('{"EventType":"check_url"}')
    timestamp, nonce = str(int(time.time() * 1000)), secrets.token_hex(8)
    signature = channel.signature(timestamp, nonce, encrypted)
    query = {"signature": signature, "msg_signature": signature, "timestamp": timestamp, "nonce": nonce}
    return query, jsontext.dumps({"encrypt": encrypted})


def judge(channel: AesCallback, status: int, body: bytes) -> Verdict:
    """What an answer means."""
    return _judge_answer(channel, body) if status == HTTPStatus.OK else _MEANING.get(status, "stranger")


async def check(name: str, settings: DingTalkSettings, base: str) -> tuple[Verdict, str]:
    """Ask the runtime at an address.

    :param base: what stands before ``/callbacks/…``
    :return: the verdict and a detail, e.g. the status
    """
    channel = channel_of(name, settings)
    if channel is None:
        return "no_keys", ""
    verdict, detail = await _ask(channel, name, settings, base)
    if verdict == "refused":
        # Keys that were saved a moment ago are taken up within a second.
        await asyncio.sleep(_TAKEN_UP)
        verdict, detail = await _ask(channel, name, settings, base)
    return verdict, detail


async def _ask(channel: AesCallback, name: str, settings: DingTalkSettings, base: str) -> tuple[Verdict, str]:
    query, body = question(channel)
    address = f"{base.rstrip('/')}/callbacks/{name}"
    headers = {"Content-Type": "application/json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as client,
            client.post(address, params=query, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return judge(channel, answer.status, await answer.content.read(_LARGEST_ANSWER)), str(answer.status)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return "unreachable", type(error).__name__


def _judge_answer(channel: AesCallback, body: bytes) -> Verdict:
    try:
        answer: Any = jsontext.loads(body)
        encrypted, signature = answer["encrypt"], answer["msg_signature"]
        stamp, nonce = answer["timeStamp"], answer["nonce"]
        message = channel.open(encrypted, signature=signature, timestamp=stamp, nonce=nonce)
    except CallbackRejected:
        return "other_keys"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "stranger"
    return "ok" if message == "success" else "stranger"
