"""What a mapping is made of, one part after the other; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

__all__ = ["parts"]


def parts(value: Any) -> Iterator[BaseModel]:
    """All steps below a flow, a step or a list of steps, and what they are made of, in the order of the document."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from parts(getattr(value, name))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from parts(item)
