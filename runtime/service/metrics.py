"""Numbers for Prometheus, in a registry of their own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

__all__ = ["Metrics"]

#: Seconds between two measurements of the event loop's lag.
_LAG_INTERVAL = 0.5


class Metrics:
    """Everything ``/metrics`` shows. Label values are names of mappings, flows and connections: few and bounded."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.runs = Counter("b1_runs", "Runs by final state", ["mapping", "flow", "state"], registry=self.registry)
        self.documents = Counter(
            "b1_documents", "Documents by result", ["mapping", "flow", "result"], registry=self.registry
        )
        self.run_seconds = Histogram(
            "b1_run_seconds",
            "Duration of runs",
            ["mapping", "flow"],
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000),
            registry=self.registry,
        )
        self.callbacks = Counter(
            "b1_callbacks",
            "Callbacks and events of streams by verdict",
            ["connection", "verdict"],
            registry=self.registry,
        )
        self.callback_seconds = Histogram(
            "b1_callback_seconds",
            "Seconds until a callback was acknowledged",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5),
            registry=self.registry,
        )
        self.requests = Counter(
            "b1_requests", "Requests to HTTP flows by status", ["path", "status"], registry=self.registry
        )
        self._stream_connected = Gauge(
            "b1_stream_connected", "Whether the event stream is connected", ["connection"], registry=self.registry
        )
        self._stream_since = Gauge(
            "b1_stream_since_timestamp_seconds",
            "When the event stream was connected or lost",
            ["connection"],
            registry=self.registry,
        )
        self.inbox = Gauge("b1_inbox_depth", "Events waiting in the inbox", registry=self.registry)
        self.running = Gauge("b1_runs_active", "Runs in progress", registry=self.registry)
        self.lag = Gauge("b1_event_loop_lag_seconds", "How late the event loop is", registry=self.registry)

    def stream(self, connection: str, *, connected: bool, since: datetime) -> None:
        """How the event stream of a connection is, and since when (UTC)."""
        self._stream_connected.labels(connection=connection).set(connected)
        self._stream_since.labels(connection=connection).set(since.timestamp())

    def forget_stream(self, connection: str) -> None:
        """The connection has no event stream any more."""
        for gauge in (self._stream_connected, self._stream_since):
            with suppress(KeyError):
                gauge.remove(connection)

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)

    async def measure_lag(self) -> None:
        """Measure the event loop's lag until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(_LAG_INTERVAL)
            self.lag.set(max(0.0, loop.time() - before - _LAG_INTERVAL))
