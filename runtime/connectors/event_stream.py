"""Events that come over a connection which we open ourselves: the other way beside a callback address."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from runtime.connectors.events import Event
from runtime.errors import IntegrationError

__all__ = ["Delivery", "EventStream"]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What one message of an event stream reports. Whoever takes it calls one of the two answers, once.

    Either answer raises :class:`~runtime.errors.Unreachable` if the stream broke off meanwhile; what was not
    acknowledged comes again.
    """

    events: tuple[Event, ...]
    #: Call it once the events are safely stored: they do not come again.
    acknowledge: Callable[[], Awaitable[None]]
    #: They could not be stored: the other system is to deliver them again later.
    decline: Callable[[], Awaitable[None]]
    #: Why the message cannot be understood; then it holds no events.
    problem: IntegrationError | None = None


class EventStream(ABC):
    """Events over a connection that we open ourselves: no address of ours has to be reachable from outside."""

    #: Seconds to wait before a stream that broke off is opened again.
    pause: float

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """One connection for the duration of the block, and what it delivers.

        The iteration ends when the other system asks for a new connection; it raises
        :class:`~runtime.errors.Unreachable` when the connection breaks off.

        :raises LoginRefused: the credentials are wrong
        :raises RetryLater: no connection at the moment
        """
