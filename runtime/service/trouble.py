"""What a run or an event that failed means to the people who look after the systems: one line per trouble."""

from __future__ import annotations

from collections import defaultdict

from runtime.engine.request import RunRequest, RunSummary
from runtime.errors import FixData, IntegrationError, RemoteFault, Throttled, TimedOut, Unreachable
from runtime.mapping.choosing import names_of
from runtime.mapping.models import Mapping
from runtime.service.alerts import Alerts

__all__ = ["Troubles", "system_down"]

_DOWN = (Unreachable, TimedOut, RemoteFault, Throttled)


def system_down(error: IntegrationError | None) -> str:
    """Name of the connection whose whole system is in trouble, as far as an error shows that; else empty."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _DOWN):
            return cause.where.split(" ", 1)[0]
        cause = cause.__cause__
    return ""


class Troubles:
    """Turns results into alerts.

    A system that is down is one trouble, whatever fails because of it: it is over when a flow that failed because of
    it succeeds.
    """

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        #: Connection → the flows that failed because of it.
        self._victims: defaultdict[str, set[str]] = defaultdict(set)

    def ran(self, mapping: Mapping, flow: str, request: RunRequest, summary: RunSummary) -> None:
        """A run is over."""
        job = f"{mapping.id}/{flow}"
        name = mapping.title or mapping.id
        down = system_down(summary.error)
        if down:
            self._down(down, job, summary.error)
        elif summary.state == "succeeded":
            self._up(mapping, job)
        if summary.state == "stopped" or request.cause == "event":
            # Events report their own end, after their last attempt.
            return
        if summary.error is not None and not down:
            if not (request.cause == "http" and isinstance(summary.error, FixData)):
                zh, en = summary.error.sentence("zh-CN"), summary.error.sentence("en")
                self._alerts.raised(f"run {job}", f"{name} {job} 运行失败：{zh}", f"{job} failed: {en}")
            return
        if summary.error is not None or request.limit is not None or request.only is not None:
            return
        self._alerts.resolved(f"run {job}")
        self._count(
            f"unknown {job}", summary.unknown,
            f"{name} {job}：{summary.unknown} 张单据结果未知，等待人工处理（运行 {summary.run_id}）",
            f"{job}: the outcome of {summary.unknown} documents is unknown, a person has to decide",
        )  # fmt: skip
        self._count(
            f"documents {job}", summary.failed,
            f"{name} {job}：{summary.failed} 张单据失败（运行 {summary.run_id}）",
            f"{job}: {summary.failed} documents failed (run {summary.run_id})",
        )  # fmt: skip

    def event_failed(self, number: int, what: str, error: IntegrationError) -> None:
        """An event was given up; a person has to look."""
        self._alerts.raised(
            f"event {number}",
            f"回调事件 {number}（{what}）处理失败，等待人工重试：{error.sentence('zh-CN')}",
            f"Event {number} ({what}) failed and waits for a person: {error.sentence('en')}",
        )

    def event_done(self, number: int) -> None:
        """An event was carried out."""
        self._alerts.resolved(f"event {number}")

    def stream_lost(self, connection: str, error: IntegrationError) -> None:
        """Events of a connection cannot come in, and do not for a while."""
        self._alerts.raised(
            f"stream {connection}",
            f"连接 {connection} 的事件流已断开，审批结果暂时收不到（恢复后补回）：{error.sentence('zh-CN')}",
            f"The event stream of {connection} is down, no verdicts come in for the time being: {error.sentence('en')}",
        )

    def stream_restored(self, connection: str) -> None:
        """They come in again, or nobody wants them any more."""
        self._alerts.resolved(f"stream {connection}")

    def _count(self, key: str, count: int, zh: str, en: str) -> None:
        if count:
            self._alerts.raised(key, zh, en)
        else:
            self._alerts.resolved(key)

    def _down(self, connection: str, job: str, error: IntegrationError | None) -> None:
        self._victims[connection].add(job)
        if error is not None:
            zh, en = error.sentence("zh-CN"), error.sentence("en")
            self._alerts.raised(
                f"system {connection}", f"连接 {connection} 的系统不可用：{zh}", f"{connection} is down: {en}"
            )

    def _up(self, mapping: Mapping, job: str) -> None:
        for connection in {name for role in mapping.connections for name in names_of(mapping, role)}:
            victims = self._victims.get(connection)
            # After a restart nobody knows any more whom it had hit: then any flow that may use it will do.
            if victims is None or job in victims:
                self._victims.pop(connection, None)
                self._alerts.resolved(f"system {connection}")
