"""What a runtime without SQL does not load."""

from __future__ import annotations

import subprocess
import sys

SERVE = """
import sys
import runtime.service.server, runtime.engine.check
from runtime.connectors.registry import connector_kind
for kind in ("b1.service_layer", "dingtalk"):
    connector_kind(kind)
print(sorted(name for name in ("sqlglot", "runtime.connectors.wecom.connector") if name in sys.modules))
"""


def test_neither_the_sql_parser_nor_other_systems_are_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", SERVE], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
