"""Forms as the approver sees them: controls with labels, types and options, whatever system they come from."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

__all__ = ["Control", "ControlType", "Form", "Option"]


class ControlType(StrEnum):
    """What a control holds; every connector translates its vendor's names into these."""

    TEXT = "text"
    TEXTAREA = "textarea"
    NUMBER = "number"
    MONEY = "money"
    SELECT = "select"
    MULTISELECT = "multiselect"
    DATE = "date"
    DATERANGE = "daterange"
    PHOTO = "photo"
    TABLE = "table"
    ATTACHMENT = "attachment"
    CONTACT = "contact"
    DEPARTMENT = "department"
    RELATION = "relation"
    PHONE = "phone"
    ADDRESS = "address"
    RATING = "rating"
    #: Explanatory text or a computed control; it cannot be set.
    NOTE = "note"
    #: A control this product has no rule for; its value is sent as text.
    OTHER = "other"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(_Frozen):
    """One choice of a select control; ``key`` is what the vendor wants submitted (the label where it has no keys)."""

    key: str
    label: str
    #: The vendor's own name of the choice where it is neither of the two; a mapping may use it as well.
    id: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Whatever a mapping may call it."""
        return frozenset(filter(None, (self.key, self.label, self.id)))


class Control(_Frozen):
    """One control of a form, as kept in a mapping's snapshot (``to.controls``)."""

    id: str
    label: str
    type: ControlType = ControlType.TEXT
    required: bool = False
    options: tuple[Option, ...] = ()
    #: Columns, for a table.
    children: tuple[Control, ...] = ()
    #: Date format as the form declares it, e.g. ``yyyy-MM-dd``; empty = the vendor's default.
    format: str = ""
    #: Unit shown behind a number; display only.
    unit: str = ""
    #: The vendor's own name of a control that has no type here.
    vendor: str = ""


class Form(_Frozen):
    """A form fetched from an approval system."""

    code: str
    title: str
    controls: tuple[Control, ...]
