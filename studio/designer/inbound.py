"""Flows that other systems call: a sample of what they send, and the entity that a ``map`` step fills. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.errors import IntegrationError
from runtime.mapping.expressions import compile_value
from studio.designer.document import Json, MapSite, resolve, row_name, setting_named, value_at, with_value

__all__ = [
    "is_called",
    "request_of",
    "sample_of",
    "sample_rows",
    "target_entity",
    "with_sample",
    "with_target_entity",
]


def is_called(document: Json, site: MapSite) -> bool:
    """Whether the step maps what a caller of its HTTP flow sent."""
    return _trigger(document, site.flow) is not None and row_name(document, site).split(".")[0] == "request"


def sample_of(document: Json, flow: str) -> Any:
    """The sample of an HTTP flow's body, with expressions over ``settings`` worked out; None if there is none.

    :raises IntegrationError: an expression in it is wrong
    """
    raw = (_trigger(document, flow) or {}).get("sample")
    return compile_value(raw, where=f"{flow} sample")({"settings": document.get("settings", {})})


def with_sample(document: Json, flow: str, sample: Any) -> Json:
    """Keep another sample."""
    changed: Json = with_value(document, ("flows", flow, "trigger", "http", "sample"), sample)
    return changed


def request_of(document: Json, flow: str) -> Json | None:
    """The variable ``request`` of a call with the sample as its body; None without a sample.

    :raises IntegrationError: an expression in the sample is wrong
    """
    body, trigger = sample_of(document, flow), _trigger(document, flow) or {}
    if body is None:
        return None
    methods = trigger.get("methods") or ["POST"]
    return {"method": methods[0], "path": trigger.get("path", ""), "query": {}, "headers": {}, "body": body}


def sample_rows(document: Json, site: MapSite) -> list[dict[str, Any]]:
    """The rows that a ``map`` step would get from the sample; empty where the sample holds none."""
    try:
        found: Any = {"request": request_of(document, site.flow)}
    except IntegrationError:  # the source tab says what is wrong with it
        return []
    for part in row_name(document, site).split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    rows = found if isinstance(found, list) else [found]
    return [dict(row) for row in rows if isinstance(row, Mapping)]


def target_entity(document: Json, site: MapSite) -> str:
    """The entity whose fields the step fills, or an empty text where it fills a form."""
    return str(resolve(document, value_at(document, site.path)["map"].get("to", {}).get("entity")) or "")


def with_target_entity(document: Json, site: MapSite, entity: str) -> Json:
    """Fill another entity: changes the setting that holds its name, or the step itself."""
    path = (*site.path, "map", "to", "entity")
    setting = setting_named(value_at(document, path))
    changed: Json = with_value(document, ("settings", setting) if setting else path, entity)
    return changed


def _trigger(document: Json, flow: str) -> Json | None:
    trigger = document.get("flows", {}).get(flow, {}).get("trigger", {})
    found = trigger.get("http")
    return found if isinstance(found, dict) else None
