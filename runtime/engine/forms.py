"""Forms are checked against their controls before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.connectors.actions import Effect
from runtime.engine.context import Call
from runtime.errors import ValueRefused
from runtime.mapping.mapper import MappedForm
from runtime.mapping.problems import Failure
from runtime.mapping.validation import check_form

__all__ = ["FormRefused", "check_forms"]

#: So many controls are named in the sentence.
_NAMED = 5


class FormRefused(ValueRefused):
    """Values that do not fit their controls; all of them, for the preview."""

    def __init__(self, failures: Sequence[Failure], where: str) -> None:
        self.failures = tuple(failures)
        more = len(failures) - _NAMED
        super().__init__(
            "；".join(one.zh for one in failures[:_NAMED]) + (f"（另有 {more} 处）" if more > 0 else ""),
            "; ".join(one.en for one in failures[:_NAMED]) + (f" (and {more} more)" if more > 0 else ""),
            where=where,
        )


def check_forms(call: Call) -> None:
    """Before a ``create``: every form among its values must fit.

    :raises FormRefused: naming the controls
    """
    if call.action.effect is not Effect.CREATE:
        return
    for value in call.values.values():
        if isinstance(value, MappedForm):
            failures = check_form(value)
            if failures:
                raise FormRefused(failures, call.step)
