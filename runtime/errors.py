"""Every error of the product, grouped by what the caller should do about it.

    IntegrationError
    ├── RetryLater                 the same call may well succeed later; nothing has to change
    │   ├── Unreachable            no connection to the other system
    │   ├── TimedOut               no answer in time to a call that is safe to repeat
    │   ├── Throttled              the other system asked us to slow down
    │   └── RemoteFault            the other system failed on its side (5xx)
    ├── FixData                    one document is at fault; the others go on
    │   ├── RemoteRefused          the other system refused this document, with its own code and text
    │   │   ├── NotFound           the record does not exist (any more)
    │   │   └── Conflict           the record changed since it was read
    │   ├── MappingFailed          a field of the mapping could not be computed for this row
    │   └── ValueRefused           a value does not fit the control of the form it is meant for
    ├── FixSetup                   a person has to change the set-up first
    │   ├── BadMapping             the mapping document is wrong
    │   ├── BadConnection          the connection's settings are wrong or incomplete
    │   ├── LoginRefused           the other system refused the credentials
    │   ├── NotPermitted           the credentials are good, the right is missing
    │   ├── FormGone               the form is missing or was deleted
    │   ├── BadExpression          an expression does not compile
    │   ├── SecretsLocked          the key that opens the secrets is missing or wrong
    │   │   └── KeyOutOfPlace      the key itself is good, but not where or how it is kept
    │   └── CannotStart            port in use, folder not writable, state in use by another runtime …
    ├── OutcomeUnknown             an effect may or may not have happened: never repeat blindly
    └── Refused                    somebody asked for what is not allowed
        ├── CallbackRejected       a callback that is forged, replayed, truncated or not for us
        ├── RequestRejected        an HTTP flow called without its AppCode, too large, malformed
        ├── Unconfirmed            a person named an approval that the approval system does not confirm
        └── EffectRefused          a preview or dry run tried to change another system

Every message is one sentence in Chinese and one in English and says what happened; ``where`` names the field, step,
file or address; ``hint_zh``/``hint_en`` of the class say what to do.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BadConnection",
    "BadExpression",
    "BadMapping",
    "CallbackRejected",
    "CannotStart",
    "Conflict",
    "EffectRefused",
    "FixData",
    "FixSetup",
    "FormGone",
    "IntegrationError",
    "KeyOutOfPlace",
    "LoginRefused",
    "MappingFailed",
    "NotFound",
    "NotPermitted",
    "OutcomeUnknown",
    "Refused",
    "RemoteFault",
    "RemoteRefused",
    "RequestRejected",
    "RetryLater",
    "SecretsLocked",
    "Throttled",
    "TimedOut",
    "Unconfirmed",
    "Unreachable",
    "ValueRefused",
]


class IntegrationError(Exception):
    """The root of all errors that this product raises on purpose.

    :param zh: what happened, one Chinese sentence without a final full stop
    :param en: the same in English
    :param where: field, step, file, connection or address concerned
    :param code: the other system's own error code, as text
    :param remote: the other system's own error text, untouched; the operating system's where nobody answered
    """

    hint_zh: ClassVar[str] = ""
    hint_en: ClassVar[str] = ""
    #: What introduces ``code`` and ``remote``.
    remote_zh: ClassVar[str] = "对方答复"
    remote_en: ClassVar[str] = "its answer"
    #: Set by whoever makes several calls for one effect: one before went through, or may have, so something of the
    #: effect may stand although this error by itself says that nothing happened.
    partly_done = False

    def __init__(self, zh: str, en: str, *, where: str = "", code: str = "", remote: str = "") -> None:
        super().__init__(zh, en)
        self.zh = zh
        self.en = en
        self.where = where
        self.code = code
        self.remote = remote

    def sentence(self, language: str = "zh-CN") -> str:
        """The whole message in one language (``zh-CN`` or ``en``): where, what, the other side's words, what to do."""
        chinese = language.startswith("zh")
        text = self.zh if chinese else self.en
        if self.where:
            text = f"{self.where} — {text}"
        answer = " ".join(part for part in (self.code, self.remote) if part)
        if answer:
            text += f"（{self.remote_zh}：{answer}）" if chinese else f" ({self.remote_en}: {answer})"
        hint = self.hint_zh if chinese else self.hint_en
        if hint:
            text += f"。{hint}" if chinese else f". {hint}"
        return text

    def __str__(self) -> str:
        return f"{self.sentence('zh-CN')} | {self.sentence('en')}"


class RetryLater(IntegrationError):
    """The same call may well succeed later.

    :param retry_after: seconds that the other system asked us to wait, or None
    """

    hint_zh = "稍后会自动重试"
    hint_en = "It is retried automatically"

    def __init__(
        self, zh: str, en: str, *, where: str = "", code: str = "", remote: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(zh, en, where=where, code=code, remote=remote)
        self.retry_after = retry_after


class Unreachable(RetryLater):
    """No connection to the other system; the request was certainly not processed."""

    hint_zh = "请检查地址、端口和网络"
    hint_en = "Check the address, port and network"
    remote_zh = "原因"
    remote_en = "cause"


class TimedOut(RetryLater):
    """The other system did not answer in time; only raised for calls that are safe to repeat."""

    remote_zh = "原因"
    remote_en = "cause"


class Throttled(RetryLater):
    """The other system asked us to slow down."""


class RemoteFault(RetryLater):
    """The other system failed on its own side."""


class FixData(IntegrationError):
    """One document is at fault; the others of the run go on."""


class RemoteRefused(FixData):
    """The other system refused this document."""


class NotFound(RemoteRefused):
    """The record does not exist, or not any more."""


class Conflict(RemoteRefused):
    """The record was changed by somebody else since it was read."""


class MappingFailed(FixData):
    """A field of the mapping could not be computed for this row."""


class ValueRefused(FixData):
    """A value does not fit the control of the form that it is meant for."""


class FixSetup(IntegrationError):
    """A person has to change the set-up first."""


class BadMapping(FixSetup):
    """The mapping document is wrong."""


class BadConnection(FixSetup):
    """A connection's settings are wrong or incomplete."""

    remote_zh = "原因"
    remote_en = "cause"


class LoginRefused(FixSetup):
    """The other system refused the credentials."""

    hint_zh = "请在“连接”页检查帐套、用户和密码（密钥）"
    hint_en = "Check company, user and password (secret) on the Connections page"


class NotPermitted(FixSetup):
    """The credentials are good, but the right is missing."""

    hint_zh = "请在对方系统为该应用或用户开通权限"
    hint_en = "Grant the app or user this permission in the other system"


class FormGone(FixSetup):
    """The form is missing in the other system, or was deleted."""

    hint_zh = "请在设计器的“目标”页重新选择表单"
    hint_en = "Choose the form again on the Designer's Target tab"


class BadExpression(FixSetup):
    """An expression does not compile, or asks for what the sandbox forbids."""


class SecretsLocked(FixSetup):
    """The key that opens the stored secrets is missing or wrong."""

    hint_zh = "请恢复密钥文件，或在“连接”页重新填写密码"
    hint_en = "Restore the key file, or enter the passwords again on the Connections page"


class CannotStart(FixSetup):
    """The program cannot start: port in use, folder not writable, state in use by another runtime."""

    remote_zh = "原因"
    remote_en = "cause"


class KeyOutOfPlace(SecretsLocked):
    """The key itself is good; where or how it is kept has to change first, and the message says how."""

    hint_zh = ""
    hint_en = ""


class OutcomeUnknown(IntegrationError):
    """An effect may or may not have happened in the other system; it must never be repeated blindly."""

    hint_zh = "系统不会盲目重发；请在对方系统核实后处理"
    hint_en = "It is never re-sent blindly; check in the other system, then decide"


class Refused(IntegrationError):
    """Somebody asked for what is not allowed."""


class CallbackRejected(Refused):
    """A callback that is forged, replayed, truncated or not meant for this connection."""


class RequestRejected(Refused):
    """An HTTP request to a flow that may not be served.

    :param status: HTTP status to answer with
    """

    def __init__(self, zh: str, en: str, *, where: str = "", status: int = 400) -> None:
        super().__init__(zh, en, where=where)
        self.status = status


class Unconfirmed(Refused):
    """A person named an approval that the approval system does not confirm; it may be recorded all the same."""


class EffectRefused(Refused):
    """A preview or dry run tried to change another system."""
