"""What the tests of WeCom share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.mapping.forms import Form
from runtime.mapping.mapper import MappedForm


@pytest.fixture
def oa() -> tuple[str, str]:
    """Which approval system the tests are about, and the call that starts an approval."""
    return "wecom", "/oa/applyevent"


@pytest.fixture
def fill() -> Callable[[dict[str, Any], Form], MappedForm]:
    """A mapped form: values that bring the fetched template's controls with them."""

    def make(values: dict[str, Any], form: Form) -> MappedForm:
        by_label = {control.label: control for control in form.controls}
        return MappedForm(values, {to: by_label[to] for to in values})

    return make
