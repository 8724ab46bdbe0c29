"""The sandbox: doubles of B1 and the approval systems, their pages and switches, as one application on one port.

====================  =====================================================================================
``/b1/…``             B1 Service Layer (``/b1/b1s/v1/…`` and ``/b1/b1s/v2/…``) and DI gateway (``/b1/b1dis/v1/…``)
``/dingtalk/…``       DingTalk, new and legacy host
``/wecom/…``          WeCom (``/wecom/cgi-bin/…``)
``/weaver/…``         Weaver e-cology 9 (``/weaver/api/…``)
``/``                 pages: inbox, documents, switches
``/control/…``        JSON control API, see :mod:`runtime.sandbox.control`
====================  =====================================================================================
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.sandbox.b1 import B1Simulator
from runtime.sandbox.b1.faults import fault_answer as b1_fault_answer
from runtime.sandbox.control import control_routes
from runtime.sandbox.dingtalk import DingTalkSimulator
from runtime.sandbox.faults import Faults, FaultSettings, FaultsMiddleware, Fragile
from runtime.sandbox.storage import Storage
from runtime.sandbox.weaver import WeaverSimulator
from runtime.sandbox.weaver.errors import fault_answer as weaver_fault_answer
from runtime.sandbox.web import web_routes
from runtime.sandbox.wecom import WeComSimulator
from runtime.sandbox.world import World

__all__ = ["DATA_FILE", "SandboxApp", "create_app"]

#: The sandbox's SQLite file, inside its folder.
DATA_FILE = "sandbox.db"


class SandboxApp(Starlette):
    """The application; ``world`` holds the simulators behind it."""

    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(
            routes=[
                Mount("/b1", routes=world.b1.routes()),
                *(Mount(f"/{name}", routes=oa.routes()) for name, oa in world.systems.items()),
                Mount("/weaver", routes=world.weaver.routes()),
                Mount("/control", routes=control_routes(world)),
                *web_routes(world),
            ],
            lifespan=_lifespan,
        )

    def build_middleware_stack(self) -> ASGIApp:
        """Faults stand outermost: breaking a connection needs the server's own ``send``."""
        fragile = {"/b1": Fragile(self.world.b1.expire_sessions, b1_fault_answer)}
        fragile |= {f"/{name}": Fragile(oa.tokens.expire, oa.fault_answer) for name, oa in self.world.systems.items()}
        fragile["/weaver"] = Fragile(self.world.weaver.auth.expire, weaver_fault_answer)
        return FaultsMiddleware(_SameOrigin(super().build_middleware_stack()), self.world.faults, fragile)


def create_app(
    *,
    var: Path | None = None,
    base_url: str = "",
    faults: FaultSettings | None = None,
    callback_url: str | None = None,
    wecom_callback_url: str | None = None,
    clock: Callable[[], float] = time.time,
    terminate_after: float = 15.0,
) -> SandboxApp:
    """The application with its demo data in place.

    :param var: folder that keeps the state, or None to keep it in memory
    :param base_url: where it is reached, shown on the pages; empty = taken from each request
    :param faults: what goes wrong from the start
    :param callback_url: DingTalk's callback address; None = as saved before. It is checked once somebody listens there.
    :param wecom_callback_url: the same for WeCom
    :param clock: the approval systems' clock, seconds since the epoch
    :param terminate_after: seconds after a start before DingTalk's API terminates an approval
    :raises CannotStart: the folder cannot be written
    """
    storage = Storage(var / DATA_FILE if var else None)
    dingtalk = DingTalkSimulator(storage, clock=clock, terminate_after=terminate_after)
    wecom = WeComSimulator(storage, clock=clock)
    weaver = WeaverSimulator(storage, clock=clock)
    world = World(storage, B1Simulator(storage), dingtalk, wecom, weaver, Faults(faults), base_url)
    world.seed_once()
    for oa, url in ((dingtalk, callback_url), (wecom, wecom_callback_url)):
        if url is not None:
            oa.push.assume(url)
    return SandboxApp(world)


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    assert isinstance(app, SandboxApp)  # noqa: S101 - narrows the type that Starlette's signature widens
    async with contextlib.AsyncExitStack() as stack:
        for oa in app.world.systems.values():
            await stack.enter_async_context(oa.push.running())
        yield
    app.world.storage.close()


class _SameOrigin:
    """Keeps other web sites, open in the same browser, from pressing the sandbox's buttons."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin and urlsplit(origin).netloc != headers.get("host"):
                answer = PlainTextResponse("跨站请求被拒绝 Cross-site request refused", 403)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
