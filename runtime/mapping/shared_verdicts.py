"""Flows that wait for the verdicts on every form, on a connection that other mappings use as well; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.errors import IntegrationError
from runtime.mapping.choosing import names_of
from runtime.mapping.expressions import compile_value
from runtime.mapping.models import EventTrigger, Mapping
from runtime.mapping.problems import Problem

__all__ = ["shared_verdicts"]


def shared_verdicts(mappings: Sequence[Mapping]) -> Iterator[tuple[str, Problem]]:
    """Id of an enabled mapping, and a warning that such a flow of it gets verdicts that are not meant for it."""
    enabled = [mapping for mapping in mappings if mapping.enabled]
    for mapping in enabled:
        for name, flow in mapping.flows.items():
            event = flow.trigger.event
            if event is None or not _every_form(mapping, event):
                continue
            [connection] = names_of(mapping, event.connection)[:1] or ("",)
            others = [other.id for other in enabled if other.id != mapping.id and _uses(other, connection)]
            if others:
                yield (
                    mapping.id,
                    Problem(
                        "warning",
                        f"flows.{name}.trigger.event.form",
                        f"没有写明 form：连接“{connection}”上不是由映射发起的每个审批，其结论都会交给本流程；"
                        f"{'、'.join(others)} 也用这个连接，请写明 form",
                        f"form is not given: the verdict on every approval of the connection {connection!r} that no "
                        f"mapping created goes to this flow; {', '.join(others)} use the connection too: give the form",
                    ),
                )


def _every_form(mapping: Mapping, event: EventTrigger) -> bool:
    try:
        return compile_value(event.form)({"settings": mapping.settings}) is None
    except IntegrationError:
        return False  # reported by the check of the mapping itself


def _uses(mapping: Mapping, connection: str) -> bool:
    return any(connection in names_of(mapping, role) for role in mapping.connections)
