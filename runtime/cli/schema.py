"""``b1-runtime schema``: the published JSON Schema of mapping files."""

from __future__ import annotations

from runtime.cli.output import pretty_json

__all__ = ["schema"]


def schema() -> None:
    """输出映射文件的 JSON Schema（2020-12）· Print the JSON Schema of mapping files."""
    from runtime.mapping.schema import mapping_schema

    print(pretty_json(mapping_schema()))
