"""What a mapping's ``with`` may say where rows are read by SQL; the same for every kind of connection.

To import this does not load the SQL parser: it weighs as much as a connector, and most mappings have no statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from runtime.connectors.actions import ActionParams

__all__ = ["ExecSql", "LineStatement", "LineStatements", "Parameters", "StatementQuery", "source_table"]


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, Mapping) else value or ()


def _named(value: Any) -> Any:
    return {str(number): item for number, item in enumerate(value)} if isinstance(value, list | tuple) else value or {}


class LineStatement(BaseModel):
    """A statement whose rows become the detail lines of the headers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The field of the header that holds the lines, as a list.
    name: str = Field("Lines", min_length=1)
    statement: str
    #: Column that holds the header's key; empty = called like the header's.
    key: str = ""


#: One mapping or a list of them.
LineStatements = Annotated[tuple[LineStatement, ...], BeforeValidator(_listed)]
#: Name → value; a list gives the parameters ``0``, ``1`` …
Parameters = Annotated[dict[str, Any], BeforeValidator(_named)]


def different_names(lines: tuple[LineStatement, ...]) -> tuple[LineStatement, ...]:
    """Check that no two statements fill the same field."""
    if len({one.name for one in lines}) < len(lines):
        raise ValueError("two statements for lines have the same name")
    return lines


class StatementQuery(ActionParams):
    """Header rows by one statement, each with its lines by further ones; streamed in the order of the key."""

    statement: str
    #: Column of the header that tells one document from another, a number or a text.
    key: str = Field("DocEntry", min_length=1)
    lines: LineStatements = ()
    parameters: Parameters = Field(default_factory=dict)
    #: Headers that are read at once, with all their lines.
    page_size: int = Field(100, ge=1, le=1000)
    top: int | None = Field(None, ge=0)

    _different = field_validator("lines")(different_names)

    @property
    def source(self) -> str:
        """The main table of the header, in capitals: other columns make no other documents."""
        return source_table(self.statement)


class ExecSql(ActionParams):
    """The rows of one statement, or of an allowed procedure, as a list."""

    sql: str = Field(min_length=1)
    parameters: Parameters = Field(default_factory=dict)


def source_table(statement: str) -> str:
    """The main table of a statement of whatever dialect, in capitals; empty if it has none."""
    from runtime.connectors.statements.dialects import DIALECTS
    from runtime.connectors.statements.fields import statement_table

    return next((found for name in DIALECTS if (found := statement_table(statement, name))), "")
