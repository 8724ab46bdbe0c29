"""The sandbox's pages: server-rendered, Chinese first with English beside, no script."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from runtime.sandbox.web.documents import document_routes
from runtime.sandbox.web.inbox import inbox_routes
from runtime.sandbox.web.switches import switch_routes
from runtime.sandbox.web.weaver import weaver_inbox_routes
from runtime.sandbox.world import World

__all__ = ["web_routes"]


def web_routes(world: World) -> list[BaseRoute]:
    """All pages and their style sheet."""
    static = Path(__file__).parent / "static"
    return [
        *weaver_inbox_routes(world),
        *inbox_routes(world),
        *document_routes(world),
        *switch_routes(world),
        Mount("/static", StaticFiles(directory=static)),
    ]
