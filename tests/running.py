"""A sandbox in a thread of the tests' own process, for what is tested without an event loop, and an approval in it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from runtime.connectors.registry import open_connector
from runtime.sandbox import demo
from runtime.sandbox.app import create_app


@contextlib.contextmanager
def running_sandbox() -> Iterator[str]:
    """Its address."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)) as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(var=None, base_url=address)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield address
        server.should_exit = True
        thread.join()


def started_approval(address: str, name: str = demo.DINGTALK_CONNECTION) -> str:
    """The id of an approval of a demo form that somebody else started in the sandbox.

    :param name: the demo connection, to DingTalk or WeCom
    """
    sent: dict[str, Any] = {"originator": "user-zhangsan"}
    if name == demo.DINGTALK_CONNECTION:
        values: dict[str, Any] = {"请购单别": "计划请购", "请购人员": "张三", "单据日期": "2026-11-23"}
        values["物料表"] = [{"品号": "A00001", "品名": "轴承", "需求数量": 1}]
        sent |= {"form": demo.PROCESS_CODE, "values": values, "department": 1001}
    else:
        values = {"申请人": "张三", "有效期": "2026-12-23T00:00:00Z", "草稿单号": "73918"}
        values["物料"] = [{"物料编号": "R10002", "数量": 200}]
        sent |= {"form": demo.WECOM_TEMPLATE, "values": values}

    async def start() -> str:
        connector = open_connector(name, demo.connections(address)[name])
        try:
            action = connector.actions["create_approval"]
            return str((await action.run(action.params.model_validate(sent)))["instance_id"])
        finally:
            await connector.aclose()

    return asyncio.run(start())
