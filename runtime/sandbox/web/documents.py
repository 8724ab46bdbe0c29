"""B1's documents: pick an entity set, read its records, open one beside its approval request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from runtime import jsontext
from runtime.sandbox.web.render import render
from runtime.sandbox.world import World

__all__ = ["document_routes"]

_PAGE = 50
_COLUMNS = 8
#: Drafts, and lines of each, that the button on the list of drafts makes.
_GENERATED = 5
_GENERATED_LINES = 3
#: What is worth seeing in a list; other sets show their first filled properties.
_PREFERRED = {
    "Drafts": (
        "DocEntry", "DocObjectCode", "DocDate", "RequesterName", "Comments", "U_ISSYN", "U_instanceID",
        "U_ApprovalStatus", "U_Approver", "U_ApprovalDate",
    ),
    "ApprovalRequests": ("Code", "DraftEntry", "DraftType", "Status", "OriginatorID", "Remarks", "CreationDate"),
}  # fmt: skip


@dataclass(frozen=True)
class _Approval:
    code: int
    status: str
    text: str


def document_routes(world: World) -> list[Route]:
    """``/documents`` and what is below it."""
    documents = _Documents(world)
    return [
        Route("/documents", documents.start, methods=["GET"]),
        Route("/documents/Drafts", documents.generate, methods=["POST"]),
        Route("/documents/{set}", documents.page, methods=["GET"]),
    ]


class _Documents:
    def __init__(self, world: World) -> None:
        self._b1 = world.b1

    async def start(self, request: Request) -> Response:
        return RedirectResponse("/documents/Drafts", 303)

    def _company(self, request: Request) -> str:
        """The company that the page shows; the first one unless another is asked for."""
        wanted = request.query_params.get("company", "")
        companies = self._b1.companies()
        return wanted if wanted in companies else companies[0]

    async def page(self, request: Request) -> Response:
        """A set's records, or with ``?key=`` (JSON) one of them."""
        entity_set = request.path_params["set"]
        if entity_set not in self._b1.entity_sets(self._company(request)):
            return render(request, "missing.html", 404, what=entity_set)
        key = request.query_params.get("key")
        return self._list(request, entity_set) if key is None else self._record(request, entity_set, key)

    async def generate(self, request: Request) -> Response:
        """More drafts to send for approval; back to the list."""
        company = self._company(request)
        self._b1.generate_drafts(_GENERATED, _GENERATED_LINES, company)
        return RedirectResponse(f"/documents/Drafts?{urlencode({'company': company})}", 303)

    def _list(self, request: Request, entity_set: str) -> Response:
        number = request.query_params.get("page", "1")
        page = max(int(number), 1) if number.isdecimal() else 1
        company = self._company(request)
        records = self._b1.rows(entity_set, company)
        keys = self._b1.key_names(entity_set, company)
        if "DocEntry" in keys:
            records = records[::-1]  # the newest document first
        shown = records[(page - 1) * _PAGE : page * _PAGE]
        columns = self._columns(entity_set, keys, shown)
        return render(
            request,
            "documents.html",
            entity_set=entity_set,
            company=company,
            companies=self._b1.companies(),
            sets=[(name, len(self._b1.rows(name, company))) for name in self._b1.entity_sets(company)],
            columns=columns,
            rows=[(_key(keys, row), [_cell(row.get(name)) for name in columns]) for row in shown],
            total=len(records),
            page=page,
            pages=max(1, -(-len(records) // _PAGE)),
        )

    def _record(self, request: Request, entity_set: str, key: str) -> Response:
        try:
            parts = json.loads(key)
        except (ValueError, RecursionError):
            parts = None
        simple = all(isinstance(part, int | str) for part in (parts if isinstance(parts, list) else [parts]))
        company = self._company(request)
        wanted = tuple(parts) if isinstance(parts, list) else parts
        record = self._b1.find(entity_set, wanted, company) if simple else None
        if record is None:
            return render(request, "missing.html", 404, what=f"{entity_set}({key})")
        is_draft = entity_set in ("Drafts", "StockTransferDrafts")
        requests = [
            _Approval(row["Code"], row.get("Status", ""), _readable(row))
            for row in (self._b1.rows("ApprovalRequests", company) if is_draft else [])
            if row.get("DraftEntry") == record.get("DocEntry")
        ]
        return render(
            request,
            "document.html",
            company=company,
            entity_set=entity_set,
            key=key,
            text=_readable(record),
            is_draft=is_draft,
            requests=requests,
            instance=record.get("U_instanceID") or "",
        )

    def _columns(self, entity_set: str, keys: tuple[str, ...], rows: list[dict[str, Any]]) -> list[str]:
        if entity_set in _PREFERRED:
            return list(_PREFERRED[entity_set])
        filled = dict.fromkeys(
            name for row in rows for name, value in row.items() if not isinstance(value, list) and "." not in name
        )
        return [*keys, *(name for name in filled if name not in keys)][:_COLUMNS]


def _key(names: tuple[str, ...], row: Mapping[str, Any]) -> str:
    parts = [row[name] for name in names]
    return json.dumps(parts[0] if len(parts) == 1 else parts, ensure_ascii=False)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _readable(row: Mapping[str, Any]) -> str:
    return msgspec.json.format(jsontext.dumps(row), indent=2).decode()
