"""Expressions and texts with ``{{ … }}``: compiled once, called with the variables that stand at that place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import GeneratorType
from typing import Any, Final

from jinja2 import meta, nodes
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError
from jinja2.parser import Parser
from jinja2.runtime import Undefined

from runtime.errors import BadExpression, IntegrationError, MappingFailed
from runtime.mapping.language import LANGUAGE, MissingName
from runtime.mapping.values import to_text

__all__ = ["CompiledValue", "Expression", "Scope", "compile_expression", "compile_operand", "compile_value"]

#: Variable name → value.
Scope = Mapping[str, Any]

#: Longest expression or text with expressions.
_LONGEST: Final = 20_000
_RESULT: Final = "_result"
#: What Jinja's filters and the methods of objects yield, where a mapping means a list.
_LISTS: Final[tuple[type[Iterable[Any]], ...]] = (
    GeneratorType,
    tuple,
    range,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
    map,
    filter,
)


class Expression:
    """One compiled expression.

    :ivar source: the text between the braces
    :ivar names: its free variables
    :ivar references: constant paths that it reads, e.g. ``("settings", "key")`` for ``settings.key``
    """

    __slots__ = ("_run", "names", "references", "source", "where")

    def __init__(self, source: str, *, where: str = "") -> None:
        self.source = source
        self.where = where
        tree = _parse(source, where)
        found = nodes.Template([nodes.Output([tree])], lineno=1)
        found.set_environment(LANGUAGE)
        self.names = frozenset(meta.find_undeclared_variables(found)) - LANGUAGE.globals.keys()
        self.references = frozenset(filter(None, (_constant_path(node) for node in _members(tree))))
        self._run = _compile(tree, self.names, source, where)

    def __call__(self, scope: Scope) -> Any:
        """The native value.

        :raises MappingFailed: a name or field is missing, or the values do not fit the operation
        :raises BadExpression: it asks for what the sandbox forbids
        """
        try:
            value = self._run(scope)
            if isinstance(value, Undefined):
                str(value)
            if callable(value):
                # A method that is not called: the record has no field of this name.
                raise MissingName(self.source.rpartition(".")[2])
            return list(value) if isinstance(value, _LISTS) else value
        except MissingName as error:
            name = str(error)
            raise MappingFailed(
                f"表达式 {self.source} 用到的“{name}”不存在",
                f"The expression {self.source} uses {name!r}, which does not exist",
                where=self.where,
            ) from error
        except SecurityError as error:
            raise BadExpression(
                f"表达式 {self.source} 要求了不允许的操作",
                f"The expression {self.source} asks for what is not allowed",
                where=self.where,
            ) from error
        except IntegrationError as error:
            raise MappingFailed(
                f"表达式 {self.source} 出错：{error.zh}",
                f"The expression {self.source} failed: {error.en}",
                where=self.where,
            ) from error
        except Exception as error:
            # Whatever goes wrong inside an expression is the fault of this expression with these values.
            zh, en = _reason(error)
            raise MappingFailed(
                f"表达式 {self.source} 无法计算：{zh}",
                f"The expression {self.source} cannot be computed: {en}",
                where=self.where,
            ) from error


def compile_expression(source: str, *, where: str = "") -> Expression:
    """Compile the inner text of ``{{ … }}``.

    :raises BadExpression: it is not an expression
    """
    return Expression(source, where=where)


class CompiledValue:
    """A JSON value whose texts may hold expressions: call it with a scope for the value with all of them computed.

    :ivar names: free variables of all its expressions
    :ivar expressions: the expressions in it
    :ivar constant: whether there is none
    """

    __slots__ = ("_run", "constant", "expressions", "names")

    def __init__(self, run: Callable[[Scope], Any], expressions: tuple[Expression, ...]) -> None:
        self._run = run
        self.expressions = expressions
        self.names = frozenset[str]().union(*(expression.names for expression in expressions))
        self.constant = not expressions

    def __call__(self, scope: Scope) -> Any:
        """The value.

        :raises MappingFailed: an expression in it could not be computed
        """
        return self._run(scope)


def compile_value(value: Any, *, where: str = "") -> CompiledValue:
    """Compile any JSON value; keys of objects may hold expressions too.

    A text that is exactly one ``{{ … }}`` yields the native value, a mixed one yields text, every other value itself.

    :raises BadExpression: an expression in it does not compile
    """
    if isinstance(value, str):
        return _compile_text(value, where)
    if isinstance(value, dict):
        return _compile_object(value, where)
    if isinstance(value, list | tuple):
        parts = [compile_value(item, where=f"{where}[{index}]") for index, item in enumerate(value)]
        expressions = tuple(expression for part in parts for expression in part.expressions)
        if not expressions:
            return CompiledValue(lambda _scope: value, ())
        return CompiledValue(lambda scope: [part(scope) for part in parts], expressions)
    return CompiledValue(lambda _scope: value, ())


def compile_operand(text: str, *, where: str = "") -> CompiledValue:
    """Compile a text that is always meant as an expression, with or without its braces (``each``, ``if``, ``from`` …).

    :raises BadExpression: it does not compile
    """
    return compile_value(text if "{{" in text else f"{{{{ {text} }}}}", where=where)


def _compile_text(text: str, where: str) -> CompiledValue:
    if "{{" not in text:
        return CompiledValue(lambda _scope: text, ())
    pieces = _pieces(text, where)
    if len(pieces) == 1 and pieces[0][0]:
        only = compile_expression(pieces[0][1], where=where)
        return CompiledValue(only, (only,))
    parts = [compile_expression(piece, where=where) if dynamic else piece for dynamic, piece in pieces]

    def run(scope: Scope) -> str:
        return "".join(part if isinstance(part, str) else _rendered(part, scope) for part in parts)

    return CompiledValue(run, tuple(part for part in parts if isinstance(part, Expression)))


def _rendered(expression: Expression, scope: Scope) -> str:
    value = expression(scope)
    try:
        return to_text(value)
    except MappingFailed as error:
        raise MappingFailed(
            f"表达式 {expression.source}：{error.zh}", f"{expression.source}: {error.en}", where=expression.where
        ) from error


def _compile_object(value: dict[str, Any], where: str) -> CompiledValue:
    parts = [
        (_compile_text(key, where), compile_value(item, where=f"{where}.{key}" if where else key))
        for key, item in value.items()
    ]
    expressions = tuple(expression for pair in parts for part in pair for expression in part.expressions)
    if not expressions:
        return CompiledValue(lambda _scope: value, ())

    def run(scope: Scope) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, item in parts:
            name = to_text(key(scope))
            if not name or name in made:
                raise MappingFailed(
                    f"对象的键“{name}”为空或重复", f"The key {name!r} of an object is empty or repeated", where=where
                )
            made[name] = item(scope)
        return made

    return CompiledValue(run, expressions)


def _pieces(text: str, where: str) -> list[tuple[bool, str]]:
    """(is an expression, its text) one after the other."""
    if len(text) > _LONGEST:
        raise BadExpression("表达式过长", "The expression is too long", where=where)
    pieces: list[tuple[bool, str]] = []
    inner: list[str] | None = None
    try:
        for _, kind, piece in LANGUAGE.lex(text):
            if kind == "variable_begin":
                inner = []
            elif kind == "variable_end" and inner is not None:
                pieces.append((True, "".join(inner).strip()))
                inner = None
            elif inner is not None:
                inner.append(piece)
            else:
                pieces.append((False, piece))
    except TemplateError as error:
        raise _does_not_compile(text, error, where) from error
    if inner is not None:
        raise BadExpression(f"“{text}”里的 {{{{ 没有用 }}}} 结束", f"A {{{{ in {text!r} is never closed", where=where)
    return pieces


def _parse(source: str, where: str) -> nodes.Expr:
    if len(source) > _LONGEST:
        raise BadExpression("表达式过长", "The expression is too long", where=where)
    try:
        parser = Parser(LANGUAGE, source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("chunk after expression", parser.stream.current.lineno)
        tree.set_environment(LANGUAGE)
        _check_names(tree)
    except (TemplateError, RecursionError, ValueError) as error:
        raise _does_not_compile(source, error, where) from error
    return tree


def _check_names(tree: nodes.Expr) -> None:
    """Refuse names with a leading underscore; unknown filters and tests are found by Jinja only while it compiles."""
    for node in _walk(tree):
        name = node.name if isinstance(node, nodes.Name) else node.attr if isinstance(node, nodes.Getattr) else ""
        if name.startswith("_"):
            raise TemplateSyntaxError(f"the name {name} is not allowed", node.lineno)
        if isinstance(node, nodes.Filter) and node.name not in LANGUAGE.filters:
            raise TemplateSyntaxError(f"there is no filter {node.name!r}", node.lineno)
        if isinstance(node, nodes.Test) and node.name not in LANGUAGE.tests:
            raise TemplateSyntaxError(f"there is no test {node.name!r}", node.lineno)


def _compile(tree: nodes.Expr, names: frozenset[str], source: str, where: str) -> Callable[[Scope], Any]:
    simple = _simple(tree)
    if simple is not None:
        return simple
    target = nodes.Name(_RESULT, "store")
    module = nodes.Template([nodes.Assign(target, tree, lineno=1)], lineno=1)
    try:
        template = LANGUAGE.from_string(module)
    except (TemplateError, RecursionError, SyntaxError, ValueError) as error:
        raise _does_not_compile(source, error, where) from error

    # The filter "date" takes the time zone from "now", also where the expression does not mention it.
    seen = names | {"now"}

    def run(scope: Scope) -> Any:
        context = template.new_context({name: scope[name] for name in seen if name in scope})
        for _ in template.root_render_func(context):
            pass
        return context.vars[_RESULT]

    return run


def _simple(tree: nodes.Expr) -> Callable[[Scope], Any] | None:
    """A name, or a chain of fields behind one: most expressions, and ten times as fast without a Jinja context."""
    path = _constant_path(tree)
    if path is None or path[0] in LANGUAGE.globals:
        return None
    name, *members = path

    def run(scope: Scope) -> Any:
        value = scope[name] if name in scope else LANGUAGE.undefined(name=name)
        for member in members:
            value = LANGUAGE.getattr(value, member)
        return value

    return run


def _constant_path(node: nodes.Node) -> tuple[str, ...] | None:
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        head, tail = _constant_path(node.node), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        head, tail = _constant_path(node.node), node.arg.value
    else:
        return None
    return None if head is None else (*head, tail)


def _walk(tree: nodes.Node) -> list[nodes.Node]:
    found = [tree]
    for node in found:
        found.extend(node.iter_child_nodes())
    return found


def _members(tree: nodes.Expr) -> list[nodes.Node]:
    return [node for node in _walk(tree) if isinstance(node, nodes.Getattr | nodes.Getitem)]


def _reason(error: Exception) -> tuple[str, str]:
    """Python's errors in a consultant's words; their own text is for programmers."""
    if isinstance(error, ZeroDivisionError):
        return "除数为 0", "division by zero"
    if isinstance(error, ArithmeticError):
        return "数值无效，或超出范围", "a number is invalid or out of range"
    if isinstance(error, TypeError):
        return f"值的类型不合适（{error}）", f"the types of the values do not fit ({error})"
    return str(error), str(error)


def _does_not_compile(source: str, error: Exception, where: str) -> BadExpression:
    reason = error.message if isinstance(error, TemplateError) else str(error)
    return BadExpression(
        f"表达式 {source} 无法编译：{reason}", f"The expression {source} does not compile: {reason}", where=where
    )
