"""What a filter demands of single fields, and whether two filters can hold of the same record; pure.

A filter is understood as far as it compares fields with constants. The rest of it counts as fulfilled, so that two
filters are said to exclude each other only where they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

__all__ = ["Constant", "Demand", "Demands", "Operator", "either", "exclusive", "odata_demands"]

Operator = Literal["in", "not in", "<", "<=", ">", ">="]
#: As it is written: text in quotes, a number, or None = null.
Constant = str | Decimal | None

_ODATA: Final[dict[str, Operator]] = {"eq": "in", "ne": "not in", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_TURNED: Final[dict[Operator, Operator]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WORD: Final = re.compile(r"\s*([(),]|\w*'(?:[^']|'')*'|[^\s(),']+)")
_ARITHMETIC: Final = frozenset(("add", "sub", "mul", "div", "mod"))


@dataclass(frozen=True)
class Demand:
    """What one field has to be."""

    #: In small letters.
    field: str
    operator: Operator
    #: Exactly one where the operator is a comparison.
    values: frozenset[Constant]


#: All of them have to hold.
Demands = tuple[Demand, ...]


def either(one: Demands, other: Demands) -> Demands:
    """What has to hold if one side or the other does."""
    left, right = _listed(one), _listed(other)
    return tuple(Demand(field, "in", left[field] | right[field]) for field in left.keys() & right.keys())


def exclusive(one: Demands, other: Demands) -> bool:
    """Whether no record fulfils both."""
    by_field: dict[str, list[Demand]] = {}
    for demand in (*one, *other):
        by_field.setdefault(demand.field, []).append(demand)
    return any(_contradictory(demands) for demands in by_field.values())


def odata_demands(text: str) -> Demands:
    """What an OData ``$filter`` demands; empty for one that is not understood."""
    try:
        reader = _Reader(_WORD.findall(text))
        found = reader.alternatives()
    except (IndexError, RecursionError):
        return ()
    return () if reader.rest else found


def _loose(value: Constant) -> Constant:
    """Equal for what some system may take for equal: they differ about case, blanks at the end, numbers in quotes."""
    if not isinstance(value, str):
        return value
    number = _number(value)
    return value.strip().casefold() if number is None else number


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _listed(demands: Iterable[Demand]) -> dict[str, frozenset[Constant]]:
    """Field → the values that it may have, where they are listed."""
    found: dict[str, frozenset[Constant]] = {}
    for demand in demands:
        if demand.operator == "in":
            allowed = {_loose(value) for value in demand.values}
            known = found.get(demand.field, demand.values)
            found[demand.field] = frozenset(value for value in known if _loose(value) in allowed)
    return found


def _contradictory(demands: list[Demand]) -> bool:
    """Whether no value of the one field that they are about fulfils them all."""
    others = [demand for demand in demands if demand.operator != "in"]
    for values in _listed(demands).values():
        return not any(all(_may_fulfil(value, demand) for demand in others) for value in values)
    lowest = [demand for demand in others if demand.operator in (">", ">=")]
    highest = [demand for demand in others if demand.operator in ("<", "<=")]
    return any(not _may_fulfil(bound, high, of=low) for low in lowest for high in highest for bound in low.values)


def _may_fulfil(value: Constant, demand: Demand, of: Demand | None = None) -> bool:
    """Whether a value may fulfil a demand; given the lower bound that it is, whether anything above it may."""
    if demand.operator == "not in":
        return value not in demand.values
    bound = next(iter(demand.values))
    if demand.operator in ("<", "<="):
        strict = demand.operator == "<" or (of is not None and of.operator == ">")
        return not _above(value, bound, strict)
    return not _above(bound, value, demand.operator == ">")


def _above(one: Constant, other: Constant, or_equal: bool) -> bool:
    """Whether every system takes the first for greater (or equal, where that is enough)."""
    for first, second in ((one, other), (_loose(one), _loose(other))):
        greater = _greater(first, second)
        if greater is None or not (greater or (or_equal and first == second)):
            return False
    return True


def _greater(first: Constant, second: Constant) -> bool | None:
    """None where the two are not of one kind."""
    if isinstance(first, Decimal) and isinstance(second, Decimal):
        return first > second
    if isinstance(first, str) and isinstance(second, str):
        return first > second
    return None


class _Reader:
    """Reads a filter from left to right.

    :raises IndexError: it ends too early
    """

    def __init__(self, words: list[str]) -> None:
        self.rest = words

    def alternatives(self) -> Demands:
        found = self._conjunction()
        while self._took("or"):
            found = either(found, self._conjunction())
        return found

    def _conjunction(self) -> Demands:
        found = self._condition()
        while self._took("and"):
            found += self._condition()
        return found

    def _condition(self) -> Demands:
        if self._took("not"):
            self._condition()
            return ()
        if self._took("("):
            inner = self.alternatives()
            self._expect(")")
            # Brackets around a calculation, not around a condition.
            return () if self._compared() else inner
        left = self._operand()
        operator = self._compared()
        if operator is None:
            return ()
        right = self._operand()
        if _is_field(left) and _is_constant(right):
            return (Demand(left.casefold(), operator, frozenset((_literal(right),))),)
        if _is_constant(left) and _is_field(right):
            turned = _TURNED.get(operator, operator)
            return (Demand(right.casefold(), turned, frozenset((_literal(left),))),)
        return ()

    def _compared(self) -> Operator | None:
        operator = _ODATA.get(self.rest[0]) if self.rest else None
        if operator is not None:
            self.rest = self.rest[1:]
        return operator

    def _operand(self) -> str:
        """The word, or an empty text for what is calculated."""
        word = self._next()
        if word == "(" or self._took("("):
            self._skip()
            word = ""
        if self.rest and self.rest[0] in _ARITHMETIC:
            self.rest = self.rest[1:]
            self._operand()
            word = ""
        return word

    def _skip(self) -> None:
        depth = 1
        while depth:
            word = self._next()
            depth += (word == "(") - (word == ")")

    def _next(self) -> str:
        word = self.rest[0]
        self.rest = self.rest[1:]
        return word

    def _took(self, word: str) -> bool:
        if self.rest and self.rest[0] == word:
            self.rest = self.rest[1:]
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._took(word):
            raise IndexError(word)


def _is_constant(word: str) -> bool:
    return word.endswith("'") or word in ("null", "true", "false") or _number(word) is not None


def _is_field(word: str) -> bool:
    return bool(word) and not _is_constant(word)


def _literal(word: str) -> Constant:
    if word.endswith("'"):
        return word[word.index("'") + 1 : -1].replace("''", "'")
    number = _number(word)
    if number is not None:
        return number
    return None if word == "null" else word
