"""The storage calls over HTTP, and the object store behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.sandbox.dingtalk.api import guarded, read_body
from runtime.sandbox.dingtalk.drive import LARGEST_FILE
from runtime.sandbox.oa.errors import json_response

if TYPE_CHECKING:
    from runtime.sandbox.dingtalk import DingTalkSimulator

__all__ = ["drive_routes"]

_FILES = "/v1.0/storage/spaces/{space}/files"


def drive_routes(simulator: DingTalkSimulator) -> list[Route]:
    """The routes, relative to the address that stands for ``api.dingtalk.com``."""
    calls = _Calls(simulator)
    table = {
        "/v1.0/workflow/processInstances/spaces/infos/query": calls.space,
        f"{_FILES}/uploadInfos/query": calls.upload_info,
        f"{_FILES}/commit": calls.commit,
    }
    return [
        *(Route(path, guarded(simulator, handler), methods=["POST"]) for path, handler in table.items()),
        Route("/storage/objects/{key}", calls.put, methods=["PUT"]),
    ]


class _Calls:
    def __init__(self, simulator: DingTalkSimulator) -> None:
        self._drive = simulator.drive

    async def space(self, request: Request) -> Response:
        """获取审批钉盘空间信息"""
        space = self._drive.open_space((await read_body(request)).get("userId"))
        return json_response({"result": {"spaceId": int(space)}, "success": True})

    async def upload_info(self, request: Request) -> Response:
        """获取文件上传信息"""
        key, headers = self._drive.begin(
            request.path_params["space"], request.query_params.get("unionId", ""), await read_body(request)
        )
        here = str(request.url).partition("/v1.0/")[0]
        return json_response(
            {
                "uploadKey": key,
                "storageDriver": "DINGTALK",
                "protocol": "HEADER_SIGNATURE",
                "headerSignatureInfo": {
                    "resourceUrls": [f"{here}/storage/objects/{key}"],
                    "headers": headers,
                    "expirationSeconds": 900,
                    "region": "ZHANGJIAKOU",
                },
            }
        )

    async def put(self, request: Request) -> Response:
        """What an object store does with a signed PUT."""
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > LARGEST_FILE:
                return _xml(400, "EntityTooLarge")
        stored = self._drive.store(request.path_params["key"], request.headers, bytes(content))
        return Response(status_code=200) if stored else _xml(403, "SignatureDoesNotMatch")

    async def commit(self, request: Request) -> Response:
        """提交文件"""
        file = self._drive.commit(
            request.path_params["space"], request.query_params.get("unionId", ""), await read_body(request)
        )
        return json_response(
            {
                "dentry": {
                    "id": file.id,
                    "spaceId": file.space,
                    "parentId": "0",
                    "type": "FILE",
                    "name": file.name,
                    "size": file.size,
                    "extension": file.name.rpartition(".")[2] if "." in file.name else "",
                    "status": "NORMAL",
                }
            }
        )


def _xml(status: int, code: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return Response(text, status, media_type="application/xml")
