"""Whether a value of a source's type can stand in a control."""

from __future__ import annotations

from typing import Final

from runtime.mapping.forms import ControlType

__all__ = ["agreement"]

_TEXTS: Final = frozenset({ControlType.TEXT, ControlType.TEXTAREA, ControlType.OTHER})
_NUMBERS: Final = frozenset({ControlType.NUMBER, ControlType.MONEY, ControlType.RATING})
_CHOICES: Final = frozenset({ControlType.SELECT, ControlType.MULTISELECT})
_PEOPLE: Final = frozenset({ControlType.CONTACT, ControlType.DEPARTMENT})
_PLACES: Final = frozenset({ControlType.PHONE, ControlType.ADDRESS})

#: A text onto a number or a date needs the very name: it may not be one.
#: Source type → kinds of control with a factor for the confidence; a kind that is missing never fits.
_FITS: Final[dict[str, tuple[tuple[frozenset[ControlType], float], ...]]] = {
    "text": ((_TEXTS | _CHOICES | _PEOPLE | _PLACES, 1.0), (_NUMBERS, 0.7), (frozenset({ControlType.DATE}), 0.62)),
    "integer": ((_NUMBERS, 1.0), (_TEXTS | _CHOICES | _PEOPLE, 0.98)),
    "decimal": ((_NUMBERS, 1.0), (_TEXTS, 0.9), (_CHOICES, 0.8)),
    "date": ((frozenset({ControlType.DATE}), 1.0), (_TEXTS, 0.9)),
    "time": ((_TEXTS, 1.0),),
    "boolean": ((_CHOICES, 1.0), (_TEXTS, 0.97)),
    "enum": ((_CHOICES | _TEXTS, 1.0),),
}
#: Controls that a field's value never fills.
_CLOSED: Final = frozenset(
    {ControlType.NOTE, ControlType.TABLE, ControlType.ATTACHMENT, ControlType.PHOTO, ControlType.RELATION}
)


def agreement(source: str, control: ControlType) -> float:
    """Factor from 0 (never: a number onto a date) to 1.

    :param source: a source's type; an empty one may be anything
    """
    if control in _CLOSED:
        return 0.0
    if not source:
        return 1.0
    return next((factor for kinds, factor in _FITS.get(source, ()) if control in kinds), 0.0)
