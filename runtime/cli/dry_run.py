"""``b1-runtime run --dry-run``: exactly what would be sent, and nothing is."""

from __future__ import annotations

from typing import Any

from runtime.cli.output import State, complain, pretty_json, say
from runtime.cli.workspace import Workspace
from runtime.engine.pool import ConnectorPool
from runtime.engine.preview import PreviewDocument, preview
from runtime.mapping.models import Mapping
from runtime.service.requests import manual_event, manual_http

__all__ = ["show"]

#: Documents that are shown unless ``--limit`` says otherwise.
_DEFAULT_LIMIT = 20


async def show(workspace: Workspace, mapping: Mapping, flow: str, *, values: dict[str, Any], limit: int | None) -> bool:
    """Print every request that the flow would make; True if nothing failed."""
    pool = ConnectorPool(workspace.connections)
    try:
        result = await preview(
            mapping,
            flow,
            pool,
            limit=limit or _DEFAULT_LIMIT,
            input=values,
            event=manual_event(mapping, flow, values),
            request=manual_http(mapping, flow, values),
            ledger=workspace.database,
        )
    finally:
        await pool.aclose()
    if result.idle:
        say(f"预演 dry run: 没有待处理的数据 nothing to do, {result.elapsed:.1f} s")
        return True
    for document in result.documents:
        _print_document(document)
    if result.response is not None:
        print(f"\n→ {pretty_json(result.response.body)}")
    # What went wrong outside every document stands with the flow's own part already, if there is one.
    shown = {document.error.sentence("en") for document in result.documents if document.error is not None}
    if result.error is not None and result.error.sentence("en") not in shown:
        complain(result.error)
    failed = sum(document.state in ("failed", "unknown") for document in result.documents)
    say(
        f"预演 dry run: {len(result.documents)} 张单据 documents, {failed} 失败 failed, {result.elapsed:.1f} s；"
        "没有改动任何系统 nothing was changed"
    )
    return not failed and result.error is None


def _print_document(document: PreviewDocument) -> None:
    print(f"\n━━ {document.key or '（流程 flow）'}  {State(document.state).words}  {document.note}".rstrip())
    for failure in document.failures:
        place = f"{failure.table}[{failure.row}].{failure.to}" if failure.table else failure.to
        print(f"✗ {place}: {failure.zh}\n  {failure.en}")
    if document.error is not None and not document.failures:
        print(f"✗ {document.error.sentence('zh-CN')}\n  {document.error.sentence('en')}")
    for sent in document.sent:
        print(f"· {sent.step}  {sent.connection}.{sent.action}")
        if sent.request is not None:
            print(f"{sent.request.method} {sent.request.url}")
            for name, value in sent.request.headers.items():
                print(f"{name}: {value}")
            if sent.request.body is not None:
                print(pretty_json(sent.request.body))
        elif sent.error is not None:
            print(f"✗ {sent.error.sentence('zh-CN')}\n  {sent.error.sentence('en')}")
