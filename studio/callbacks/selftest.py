"""The self-test of a callback: the same request as when its address is saved in the other system's console.

DingTalk open platform, 配置 HTTP 推送: a signed, encrypted ``check_url`` event, answered by an encrypted ``success``.
WeCom developer centre, 回调配置: a signed, encrypted text in the address, answered by the text itself.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import aiohttp

from runtime import jsontext
from runtime.connectors.aes_callback import AesCallback
from runtime.connectors.dingtalk.settings import DingTalkSettings
from runtime.connectors.settings import ConnectorSettings
from runtime.connectors.wecom.settings import WeComSettings
from runtime.errors import CallbackRejected

__all__ = ["Question", "Verdict", "check", "judge", "question_of"]

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

#: Seconds to wait for the answer; DingTalk itself waits 1.5, WeCom 5.
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


@dataclass(frozen=True)
class Question:
    """One request, and what its answer means."""

    method: str
    query: Mapping[str, str]
    judge: Callable[[bytes], Verdict]
    body: bytes | None = None


def question_of(name: str, settings: ConnectorSettings) -> Question | Verdict:
    """What to ask for a connection; or why it cannot be asked."""
    if not isinstance(settings, DingTalkSettings | WeComSettings):
        return "no_test"
    aes_key, token = settings.aes_key.get_secret_value(), settings.token.get_secret_value()
    if not aes_key or not token:
        return "no_keys"
    if isinstance(settings, DingTalkSettings):
        return _check_url(AesCallback(token, aes_key, settings.owners, where=name))
    return _echo(AesCallback(token, aes_key, (settings.corp_id,), where=name))


def _check_url(channel: AesCallback) -> Question:
    encrypted = channel.encrypt('{"EventType":"check_url"}')
    query = _signed(channel, encrypted, str(int(time.time() * 1000)))
    query["signature"] = query["msg_signature"]
    body = jsontext.dumps({"encrypt": encrypted})
    return Question("POST", query, lambda answer: _judge_success(channel, answer), body)


def _echo(channel: AesCallback) -> Question:
    text = secrets.token_hex(10)
    encrypted = channel.encrypt(text)
    query = {**_signed(channel, encrypted, str(int(time.time()))), "echostr": encrypted}
    return Question("GET", query, lambda answer: "ok" if answer == text.encode() else "stranger")


def _signed(channel: AesCallback, encrypted: str, timestamp: str) -> dict[str, str]:
    nonce = secrets.token_hex(8)
    signature = channel.signature(timestamp, nonce, encrypted)
    return {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}


def judge(question: Question, status: int, body: bytes) -> Verdict:
    """What an answer means."""
    return question.judge(body) if status == HTTPStatus.OK else _MEANING.get(status, "stranger")


async def check(name: str, settings: ConnectorSettings, base: str) -> tuple[Verdict, str]:
    """Ask the runtime at an address.

    :param base: what stands before ``/callbacks/…``
    :return: the verdict and a detail, e.g. the status
    """
    question = question_of(name, settings)
    if not isinstance(question, Question):
        return question, ""
    verdict, detail = await _ask(question, name, base)
    if verdict == "refused":
        # Keys that were saved a moment ago are taken up within a second.
        await asyncio.sleep(_TAKEN_UP)
        verdict, detail = await _ask(question, name, base)
    return verdict, detail


async def _ask(question: Question, name: str, base: str) -> tuple[Verdict, str]:
    address = f"{base.rstrip('/')}/callbacks/{name}"
    headers = {"Content-Type": "application/json"} if question.body is not None else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as client,
            client.request(
                question.method,
                address,
                params=question.query,
                data=question.body,
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            return judge(question, answer.status, await answer.content.read(_LARGEST_ANSWER)), str(answer.status)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return "unreachable", type(error).__name__


def _judge_success(channel: AesCallback, body: bytes) -> Verdict:
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
