"""The WeCom double in this process, and connections to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from runtime.connectors.registry import open_connector
from runtime.connectors.wecom.connector import WeComConnector
from runtime.mapping.forms import Form
from runtime.mapping.mapper import MappedForm
from runtime.sandbox import demo


@pytest.fixture
def oa() -> tuple[str, str]:
    """Which approval system the tests are about, and the call that starts an approval."""
    return "wecom", "/oa/applyevent"


@pytest_asyncio.fixture
async def link() -> AsyncIterator[Callable[..., WeComConnector]]:
    """``link(url, **settings)`` connects with the demo's credentials."""
    opened: list[WeComConnector] = []

    def make(url: str, **settings: Any) -> WeComConnector:
        document = demo.connections(url)[demo.WECOM_CONNECTION]
        connector = open_connector("oa", document | {"rate": 1000, "retries": 1} | settings)
        assert isinstance(connector, WeComConnector)
        opened.append(connector)
        return connector

    yield make
    for connector in opened:
        await connector.aclose()


@pytest.fixture
def fill() -> Callable[[dict[str, Any], Form], MappedForm]:
    """A mapped form: values that bring the fetched template's controls with them."""

    def make(values: dict[str, Any], form: Form) -> MappedForm:
        by_label = {control.label: control for control in form.controls}
        return MappedForm(values, {to: by_label[to] for to in values})

    return make
