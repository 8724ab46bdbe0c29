"""``$filter``: read once into a closure over rows, with the key range and lookups it allows.

Comparisons follow SQL: with a null on one side they are neither true nor false, except ``eq null`` and ``ne null``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from .faults import ServiceFault, bad_request, invalid_property
from .rows import Row
from .schema import EntityType, Property

__all__ = ["Filter", "compile_filter", "parse_date", "parse_time"]

#: True, False, or None where SQL says "unknown".
Test = Callable[[Row], bool | None]

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<string>(?:[A-Za-z_][\w.]*)?'(?:[^']|'')*')
    | (?P<date>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)
    | (?P<time>\d\d:\d\d(?::\d\d(?:\.\d+)?)?)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[dDfFmMlL]?)
    | (?P<word>[A-Za-z_][\w/]*)
    | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "gt": lambda a, b: bool(a > b),
    "ge": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "le": lambda a, b: bool(a <= b),
}
_MIRROR: Final = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_NUMERIC: Final = {"int": "number", "num": "number"}
_FUNCTIONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "contains": lambda text, part: part in text,
    "substringof": lambda part, text: part in text,
}


@dataclass(frozen=True)
class Filter:
    """A compiled filter."""

    test: Test
    #: Comparisons with a constant that every match must satisfy: (property, operator, stored value).
    required: list[tuple[str, str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Operand:
    value: Any = None
    prop: Property | None = None


def compile_filter(text: str, entity_type: EntityType, *, ignore_case: bool = False) -> Filter:
    """Compile a filter for rows of a type.

    :raises ServiceFault: it is malformed (400), names an unknown property (400/-1000) or compares unlike things
    """
    parser = _Parser(text, entity_type, ignore_case)
    try:
        test = parser.disjunction()
    except RecursionError:
        raise parser.malformed() from None
    if parser.token is not None:
        raise parser.malformed()
    return Filter(test, parser.required)


def parse_date(text: str) -> str | None:
    """A date as it is stored (``YYYY-MM-DD``) from any accepted spelling, or None where it is no date."""
    compact = re.fullmatch(r"(\d{4})(\d\d)(\d\d)", text)
    plain = "-".join(compact.groups()) if compact else text[:10]
    if not compact and not re.fullmatch(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)?)?", text):
        return None
    try:
        return date.fromisoformat(plain).isoformat()
    except ValueError:
        return None


class _Parser:
    """Recursive descent; ``or`` binds loosest, then ``and``, ``not``, comparison."""

    def __init__(self, text: str, entity_type: EntityType, ignore_case: bool) -> None:
        self._text = text
        self._type = entity_type
        self._fold = ignore_case
        self._at = 0
        self.required: list[tuple[str, str, Any]] = []
        self.token: tuple[str, str] | None = None
        self._advance()

    def malformed(self) -> ServiceFault:
        """The refusal of this text."""
        return bad_request(f"Bad filter query near position {self._at}: {self._text}", -1000)

    def disjunction(self) -> Test:
        """``a or b``"""
        mark, tests = len(self.required), [self._conjunction()]
        while self._word("or"):
            tests.append(self._conjunction())
        if len(tests) == 1:
            return tests[0]
        del self.required[mark:]

        def any_of(row: Row) -> bool | None:
            unknown = False
            for test in tests:
                found = test(row)
                if found:
                    return True
                unknown = unknown or found is None
            return None if unknown else False

        return any_of

    def _conjunction(self) -> Test:
        tests = [self._negation()]
        while self._word("and"):
            tests.append(self._negation())
        if len(tests) == 1:
            return tests[0]

        def all_of(row: Row) -> bool | None:
            unknown = False
            for test in tests:
                found = test(row)
                if found is False:
                    return False
                unknown = unknown or found is None
            return None if unknown else True

        return all_of

    def _negation(self) -> Test:
        if not self._word("not"):
            return self._comparison()
        mark = len(self.required)
        inner = self._negation()
        del self.required[mark:]

        def negated(row: Row) -> bool | None:
            found = inner(row)
            return None if found is None else not found

        return negated

    def _comparison(self) -> Test:
        if self._mark("("):
            test = self.disjunction()
            if not self._mark(")"):
                raise self.malformed()
            return self._against_boolean(test)
        if self.token and self.token[0] == "word" and self.token[1].lower() in _FUNCTIONS:
            return self._against_boolean(self._function(_FUNCTIONS[self.token[1].lower()]))
        left = self._operand()
        operator = self._operator()
        if operator is None:
            raise self.malformed()
        return self._compare(left, operator, self._operand())

    def _against_boolean(self, test: Test) -> Test:
        """``contains(a,'b') eq true``"""
        operator = self._operator()
        if operator is None:
            return test
        wanted = self._operand().value
        if operator not in {"eq", "ne"} or not isinstance(wanted, bool):
            raise self.malformed()
        expected = wanted == (operator == "eq")
        self.required.clear()

        def compared(row: Row) -> bool | None:
            found = test(row)
            return None if found is None else found == expected

        return compared

    def _function(self, function: Callable[[str, str], bool]) -> Test:
        self._advance()
        if not self._mark("("):
            raise self.malformed()
        first = self._operand()
        if not self._mark(","):
            raise self.malformed()
        second = self._operand()
        if not self._mark(")"):
            raise self.malformed()
        get_first, get_second = self._text_of(first), self._text_of(second)

        def call(row: Row) -> bool | None:
            a, b = get_first(row), get_second(row)
            return None if a is None or b is None else function(a, b)

        return call

    def _compare(self, left: _Operand, operator: str, right: _Operand) -> Test:
        if left.prop is None and right.prop is not None:
            left, operator, right = right, _MIRROR[operator], left
        prop, compare = left.prop, _COMPARE[operator]
        if prop is None:
            if type(left.value) is not type(right.value):
                raise self.malformed()
            outcome = None if left.value is None else compare(left.value, right.value)
            return lambda row: outcome
        name = prop.name
        if prop.kind == "lines":
            raise bad_request(f"Property '{name}' is a collection and cannot be compared", -1000)
        if right.prop is not None:
            if _NUMERIC.get(prop.kind, prop.kind) != _NUMERIC.get(right.prop.kind, right.prop.kind):
                raise self.malformed()
            other = right.prop.name

            def both(row: Row) -> bool | None:
                a, b = row.get(name), row.get(other)
                return None if a is None or b is None else compare(a, b)

            return both
        if right.value is None:
            wanted = operator == "eq"
            if operator not in {"eq", "ne"}:
                return lambda row: None
            return lambda row: (row.get(name) is None) == wanted
        constant = self._constant(prop, right.value)
        if self._fold and isinstance(constant, str):
            constant = constant.casefold()

            def folded(row: Row) -> bool | None:
                value = row.get(name)
                return None if value is None else compare(value.casefold(), constant)

            return folded
        self.required.append((name, operator, constant))

        def against_constant(row: Row) -> bool | None:
            value = row.get(name)
            return None if value is None else compare(value, constant)

        return against_constant

    def _constant(self, prop: Property, value: Any) -> Any:
        """The literal in the form in which the property is stored."""
        text = str(value)
        fitting: Any = None
        if prop.kind == "enum" and prop.enum is not None:
            fitting = prop.enum.member(text)
        elif prop.kind == "date":
            fitting = parse_date(text)
        elif prop.kind == "time":
            fitting = parse_time(text)
        elif prop.kind in {"int", "num"}:
            try:
                fitting = Decimal(text)
            except InvalidOperation:
                fitting = None
            if fitting is not None and abs(fitting) < 2**63 and fitting == fitting.to_integral_value():
                fitting = int(fitting)
        else:
            fitting = text
        if fitting is None:
            raise bad_request(f"Value '{text}' does not fit property '{prop.name}' of '{self._type.name}'", -1000)
        return fitting

    def _text_of(self, operand: _Operand) -> Callable[[Row], str | None]:
        if operand.prop is None:
            constant = str(operand.value).casefold() if self._fold else str(operand.value)
            return lambda row: constant
        name, fold = operand.prop.name, self._fold

        def text(row: Row) -> str | None:
            value = row.get(name)
            if value is None:
                return None
            return str(value).casefold() if fold else str(value)

        return text

    def _operand(self) -> _Operand:
        if self.token is None:
            raise self.malformed()
        kind, text = self.token
        if kind == "mark":
            raise self.malformed()
        self._advance()
        if kind == "string":
            return _Operand(text[text.index("'") + 1 : -1].replace("''", "'"))
        if kind == "number":
            return _Operand(Decimal(text.rstrip("dDfFmMlL")))
        if kind in {"date", "time"}:
            return _Operand(text)
        if text in {"null", "true", "false"}:
            return _Operand({"null": None, "true": True, "false": False}[text])
        prop = self._type.properties.get(text)
        if prop is None or prop.write_only:
            raise invalid_property(text, self._type.name)
        return _Operand(prop=prop)

    def _operator(self) -> str | None:
        if self.token and self.token[0] == "word" and self.token[1] in _COMPARE:
            operator = self.token[1]
            self._advance()
            return operator
        return None

    def _word(self, word: str) -> bool:
        if self.token == ("word", word):
            self._advance()
            return True
        return False

    def _mark(self, mark: str) -> bool:
        if self.token == ("mark", mark):
            self._advance()
            return True
        return False

    def _advance(self) -> None:
        if not self._text[self._at :].strip():
            self.token = None
            return
        match = _TOKEN.match(self._text, self._at)
        if match is None or match.lastgroup is None:
            raise self.malformed()
        self._at = match.end()
        self.token = (match.lastgroup, match[match.lastgroup])


def parse_time(text: str) -> str | None:
    """A time as it is stored (``HH:MM:SS``) from any accepted spelling, or None where it is no time."""
    match = re.fullmatch(r"(?:PT)?(\d{1,2})[:H]?(\d\d)(?:[:M]?(\d\d)(?:\.\d+)?S?)?M?", text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        return None
    return f"{int(match[1]):02}:{match[2]}:{match[3] or '00'}"
