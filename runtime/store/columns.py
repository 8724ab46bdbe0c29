"""Column types that behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, LargeBinary, Text, TypeDecorator

from runtime import jsontext

__all__ = ["Json", "Packed", "UtcDateTime", "utc_now"]


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: only aware values go in, UTC comes out (SQLite keeps no zone, so it is kept by this rule)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a stored time must carry its zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON as text, with decimals; Python's None is SQL's NULL. Accepts ready JSON as ``bytes``."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return (value if isinstance(value, bytes) else jsontext.dumps(value)).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else jsontext.loads(value)


class Packed(TypeDecorator[Any]):
    """JSON, compressed: for what is written often and read seldom. Accepts ready JSON as ``bytes``."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        # Level 1: step records are repetitive, higher levels cost four times the processor for a tenth of the space.
        return zlib.compress(value if isinstance(value, bytes) else jsontext.dumps(value), 1)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        return None if value is None else jsontext.loads(zlib.decompress(value))
