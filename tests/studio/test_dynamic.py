"""The designer works with one of the connections that a mapping chooses from."""

from __future__ import annotations

from typing import Any

import pytest

from studio.designer.dynamic import designed_with, is_dynamic, with_designed_connections

AMONG = {"CN": "b1", "HK": "b2"}


@pytest.mark.parametrize(
    ("connection", "dynamic", "name"),
    [
        ("b1", False, "b1"),
        ({"choose": "x", "among": AMONG, "default": "b2"}, True, "b2"),
        ({"choose": "x", "among": AMONG}, True, "b1"),
        ({"choose": "x", "among": []}, True, ""),
        ({}, True, ""),
        (None, False, ""),
    ],
)
def test_the_connection_to_design_with(connection: Any, dynamic: bool, name: str) -> None:
    document = {"id": "m", "connections": {"erp": connection, "oa": "ding"}}
    assert is_dynamic(document, "erp") is dynamic
    assert designed_with(document, "erp") == name
    assert with_designed_connections(document) == {"id": "m", "connections": {"erp": name, "oa": "ding"}}
    assert document["connections"]["erp"] == connection
