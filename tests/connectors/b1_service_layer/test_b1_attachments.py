"""Files attached to a record: named at once, read only when somebody takes them."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web

from runtime import jsontext
from runtime.connectors.files import File, read_file
from runtime.engine.records import StepRecord, pack_steps
from runtime.errors import NotFound, ValueRefused
from runtime.mapping.expressions import compile_value

LINES = [
    {"FileName": "O'Neil 图纸", "FileExtension": "pdf", "SourcePath": "C:\\files"},
    {"FileName": "说明", "FileExtension": ""},
    {"FileName": "", "FileExtension": "x"},
]


@pytest.fixture
def asked(stub: Any) -> list[str]:
    """The names of the files whose content was asked for."""
    names: list[str] = []
    stub.sets["Attachments2"] = [{"AbsoluteEntry": 7, "Attachments2_Lines": LINES}]
    stub.keys["Attachments2"] = ("AbsoluteEntry",)

    async def content(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith("/$value"):
            return None
        name = unquote(request.query["filename"])
        names.append(name)
        if "说明" in name:
            return stub.refuse(404, 404, "Fail to get the LINUX mount point for AttachmentsFolderPath")
        return web.Response(body=b"x" * 30_000, content_type="application/pdf")

    stub.before = content
    return names


async def files(connector: Any, **params: Any) -> list[File]:
    action = connector.actions["attachment"]
    found: list[File] = await action.run(action.params.model_validate(params))
    return found


async def test_files_are_named_and_read_when_they_are_taken(connect: Any, asked: list[str]) -> None:
    drawing, note = await files(await connect(), entry=7)
    assert drawing == {"name": "O'Neil 图纸.pdf", "type": "pdf"}
    assert note == {"name": "说明", "type": ""}
    assert asked == []
    assert await read_file(drawing) == b"x" * 30_000
    assert asked == ["'O''Neil 图纸.pdf'"]
    with pytest.raises(NotFound, match="LINUX mount point"):
        await read_file(note)


async def test_one_of_them_none_of_them_and_no_attachment_at_all(connect: Any, asked: list[str]) -> None:
    connector = await connect()
    assert [file["name"] for file in await files(connector, entry="7", name="o'neil 图纸.PDF")] == ["O'Neil 图纸.pdf"]
    for nothing in (None, ""):
        assert await files(connector, entry=nothing) == []
    with pytest.raises(NotFound, match="说明"):
        await files(connector, entry=7, name="b.pdf")
    with pytest.raises(NotFound):
        await files(connector, entry=8)
    assert asked == []


async def test_a_file_that_is_too_large_is_not_read(connect: Any, asked: list[str]) -> None:
    [file] = await files(await connect(attachment_limit=29_999), entry=7, name="O'Neil 图纸.pdf")
    with pytest.raises(ValueRefused, match="29,999"):
        await read_file(file)


async def test_neither_records_nor_expressions_get_hold_of_the_content(connect: Any, asked: list[str]) -> None:
    found = await files(await connect(), entry=7)
    record = StepRecord("files", "erp.attachment")
    record.output = found
    [packed] = json.loads(pack_steps([record]))
    assert packed["output"] == [{"name": "O'Neil 图纸.pdf", "type": "pdf"}, {"name": "说明", "type": ""}]
    assert jsontext.loads(jsontext.dumps(found)) == packed["output"]
    scope = {"files": found}
    assert compile_value("{{ files[0] }}")(scope) is found[0]
    assert compile_value("{{ files | selectattr('type', 'equalto', 'pdf') | list }}")(scope)[0] is found[0]
    assert compile_value("{{ files[0].name }}")(scope) == "O'Neil 图纸.pdf"
    with pytest.raises(Exception, match="_fetch"):
        compile_value("{{ files[0]._fetch() }}")(scope)
    assert asked == []


async def test_an_endless_answer_takes_no_memory(connect: Any, asked: list[str], stub: Any) -> None:
    async def endless(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith("/$value"):
            return None
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(2_000):
            await answer.write(b"x" * 100_000)
        return answer

    stub.before = endless
    [file] = await files(await connect(attachment_limit=1_000_000), entry=7, name="O'Neil 图纸.pdf")
    tracemalloc.start()
    try:
        with pytest.raises(ValueRefused, match="1,000,000"):
            await read_file(file)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
