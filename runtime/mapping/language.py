"""The language of expressions: Jinja's, in its immutable sandbox, with decimal numbers and no way to anything else.

What differs from plain Jinja: a number with a fraction is a ``Decimal``; a record's field wins over a method of the
same name (``detail.values``); only the methods listed here can be called; results that would grow without bound are
refused; a name or field that is missing may be tested (``or``, ``is defined``, ``default``), every other use of it is
an error.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Context, Decimal
from functools import partial
from typing import Any, Final, NoReturn

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import UndefinedError
from jinja2.filters import FILTERS as DEFAULT_FILTERS
from jinja2.lexer import Lexer, Token
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as DEFAULT_TESTS

from runtime.errors import MappingFailed
from runtime.mapping.filters import FILTERS, bounded, defined, join_texts, replace_text
from runtime.mapping.values import NUMBERS, to_text

__all__ = ["LANGUAGE", "Language", "MissingName"]

#: Jinja's own filters that are pure, bounded, and do no arithmetic with binary fractions.
_KEPT_FILTERS: Final = (
    *("abs", "count", "d", "default", "dictsort", "first", "groupby", "items", "last", "length", "list", "map", "max"),
    *("min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique", "urlencode"),
)
#: Type → the methods and attributes that an expression may use.
_METHODS: Final[Mapping[type, frozenset[str]]] = {
    kind: frozenset(names.split())
    for kind, names in {
        str: """
            capitalize casefold count endswith find isalnum isalpha isdigit islower isspace isupper lower lstrip
            partition removeprefix removesuffix rfind rpartition rsplit rstrip split splitlines startswith
            strip swapcase title upper
        """,
        dict: "get items keys values",
        list: "count index",
        tuple: "count index",
        date: "astimezone date day hour isoformat isoweekday minute month replace second strftime weekday year",
        timedelta: "days seconds total_seconds",
    }.items()
}
#: Methods of text whose result can be far longer than the text.
_BOUNDED: Final[Mapping[str, Callable[..., Any]]] = {"join": join_texts, "replace": replace_text}
#: Largest whole number, in bits, that an operator may make.
_BITS: Final = 1024
#: Digits of a quotient or power that has no exact value.
_QUOTIENTS: Final = Context(prec=34, rounding=NUMBERS.rounding, Emax=9999, Emin=-9999, traps=NUMBERS.traps)

_EXACT: Final[dict[str, Callable[[Decimal, Decimal], Decimal]]] = {
    "+": NUMBERS.add,
    "-": NUMBERS.subtract,
    "*": NUMBERS.multiply,
    "//": NUMBERS.divide_int,
    "%": NUMBERS.remainder,
    "/": _QUOTIENTS.divide,
    "**": _QUOTIENTS.power,
}
#: Of two whole numbers; quotients are decimals.
_WHOLE: Final[dict[str, Callable[[int, int], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


class MissingName(UndefinedError):
    """A missing name or field was used; the message is just its name."""


class _Missing(Undefined):
    """False when tested, an error in every other use."""

    __slots__ = ()

    def _fail_with_undefined_error(self, *_: Any, **__: Any) -> NoReturn:
        if not issubclass(self._undefined_exception, UndefinedError):
            raise self._undefined_exception(self._undefined_message)
        raise MissingName(str(self._undefined_name))

    def _refuse(self, *_: Any, **__: Any) -> Any:
        self._fail_with_undefined_error()

    __str__ = __len__ = __iter__ = __hash__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = _refuse
    __call__ = __getitem__ = __contains__ = __int__ = __float__ = _refuse


class _DecimalLexer(Lexer):
    """Reads a number with a fraction as the decimal that is written there."""

    def wrap(self, stream: Any, name: str | None = None, filename: str | None = None) -> Iterator[Token]:
        written: list[str] = []

        def noted() -> Iterator[Any]:
            for item in stream:
                if item[1] == "float":
                    written.append(item[2])
                yield item

        for token in super().wrap(noted(), name, filename):
            if token.type == "float":
                yield Token(token.lineno, token.type, Decimal(written.pop(0).replace("_", "")))  # type: ignore[arg-type]
            else:
                yield token


class _DecimalGenerator(CodeGenerator):
    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:  # noqa: N802  # named by Jinja
        if isinstance(node.value, Decimal):
            self.write(f"environment.decimal({str(node.value)!r})")
        else:
            super().visit_Const(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802  # named by Jinja
        self.write("environment.join_texts((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Language(ImmutableSandboxedEnvironment):
    """The environment that compiles expressions; there is one, and it is never changed."""

    code_generator_class = _DecimalGenerator
    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))
    decimal = Decimal

    def __init__(self) -> None:
        # Statements and comments do not exist: control characters cannot be typed in a mapping by accident.
        super().__init__(
            undefined=_Missing,
            block_start_string="\x01%",
            block_end_string="%\x02",
            comment_start_string="\x01#",
            comment_end_string="#\x02",
            keep_trailing_newline=True,
            # Nothing is computed while it compiles: that would bypass the limits below.
            optimized=False,
        )
        self.globals = {"range": self.globals["range"], "dict": dict}
        self.filters = {name: DEFAULT_FILTERS[name] for name in _KEPT_FILTERS} | dict(FILTERS)
        self.tests = {name: test for name, test in DEFAULT_TESTS.items() if name not in ("callable", "escaped")}

    @property
    def lexer(self) -> Lexer:
        return _DecimalLexer(self)

    def join_texts(self, parts: tuple[Any, ...]) -> str:
        """What ``~`` does: every part by the rules of :func:`~runtime.mapping.values.to_text`."""
        texts = [to_text(defined(part)) for part in parts]
        bounded(sum(map(len, texts)))
        return "".join(texts)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, str) and attribute in _BOUNDED:
            return partial(_BOUNDED[attribute], obj)
        for kind, methods in _METHODS.items():
            if isinstance(obj, kind):
                return getattr(obj, attribute) if attribute in methods else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, int | Decimal | float | bytes):
            return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=str(argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic with decimals, and without results that grow without bound.

        :raises MappingFailed: the result would be too large
        """
        if isinstance(left, _NUMERIC) and isinstance(right, _NUMERIC):
            return _arithmetic(operator, left, right)
        if operator == "%" and isinstance(left, str | bytes):
            raise MappingFailed("文本不能取余；请用 ~ 拼接文本", "Text has no remainder; join texts with ~")
        if operator == "*":
            for sequence, times in ((left, right), (right, left)):
                if isinstance(sequence, str | list | tuple) and isinstance(times, int):
                    bounded(len(sequence) * times)
        if operator == "+" and isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
            bounded(len(left) + len(right))
        return super().call_binop(context, operator, left, right)


_NUMERIC: Final = (int, Decimal, float)


def _arithmetic(sign: str, left: Any, right: Any) -> int | Decimal:
    if isinstance(left, int) and isinstance(right, int) and sign in _WHOLE and not (sign == "**" and right < 0):
        if sign == "*" and left.bit_length() + right.bit_length() > _BITS:
            raise _too_large()
        if sign == "**" and left.bit_length() * right > _BITS:
            raise _too_large()
        result: int = _WHOLE[sign](left, right)
        return result
    one, two = _decimal(left), _decimal(right)
    if not two and sign in ("/", "//", "%"):
        raise ZeroDivisionError  # 0 / 0 too, for which decimals have another error
    if sign == "**" and (abs(one.adjusted()) + 1) * abs(two) > 300:
        raise _too_large()
    found = _EXACT[sign](one, two)
    whole = isinstance(left, int) and isinstance(right, int) and found == found.to_integral_value()
    return int(found) if whole else found


def _decimal(value: int | Decimal | float) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _too_large() -> MappingFailed:
    return MappingFailed("计算结果过大", "The result is too large")


LANGUAGE: Final = Language()
