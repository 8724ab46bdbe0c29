"""Empty values, code tables, yes and no."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.errors import MappingFailed
from runtime.mapping.transforms.base import NO_ARGUMENT, Change, Transform
from runtime.mapping.values import is_blank, shown, to_number, to_text

__all__ = ["TRANSFORMS", "truth"]

_YES: Final = frozenset({"y", "yes", "tyes", "true", "1", "是"})
_NO: Final = frozenset({"n", "no", "tno", "false", "0", "否"})
#: Key of a lookup table for every value that is not in it.
_ELSE: Final = "*"


def truth(value: Any) -> bool:
    """Yes or no in any of the notations of SAP Business One and approval systems.

    :raises MappingFailed: neither
    """
    text = _code(value).strip().lower()
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise MappingFailed(f"{shown(value)} 既不是“是”也不是“否”", f"{shown(value)} is neither yes nor no")


def _code(value: Any) -> str:
    """A value as a key of a code table: 1, 1.0 and "1" are the same code."""
    if isinstance(value, float | Decimal):
        number = to_number(value)
        return to_text(int(number) if number == int(number) else number)
    return to_text(value)


def _default(argument: Any, _zone: ZoneInfo) -> Change:
    return lambda value: argument if is_blank(value) else value


def _required(_argument: Any, _zone: ZoneInfo) -> Change:
    def change(value: Any) -> Any:
        if is_blank(value):
            raise MappingFailed("必填，但值是空的", "A value is required, but it is empty")
        return value

    return change


def _lookup(argument: Any, _zone: ZoneInfo) -> Change:
    if not isinstance(argument, dict) or not argument:
        raise ValueError("no table")
    table = {str(key): value for key, value in argument.items()}
    has_else = _ELSE in table
    fallback = table.pop(_ELSE, None)

    def change(value: Any) -> Any:
        code = _code(value)
        if code in table:
            return table[code]
        if value is None and not has_else:
            return None
        if not has_else:
            raise MappingFailed(
                f"值对照表里没有 {shown(value)}，也没有“{_ELSE}”（其他）",
                f"The value map has neither {shown(value)} nor {_ELSE!r} (anything else)",
            )
        return fallback

    return change


def _yes_no(argument: Any, _zone: ZoneInfo) -> Change:
    if argument is NO_ARGUMENT:
        yes, no = True, False
    elif isinstance(argument, dict) and argument.keys() == {"yes", "no"}:
        yes, no = argument["yes"], argument["no"]
    else:
        raise ValueError("not a pair of yes and no")
    return lambda value: None if is_blank(value) else yes if truth(value) else no


TRANSFORMS: Final = (
    Transform(
        name="default",
        zh="空值时用默认值",
        en="Default for empty",
        function=_default,
        argument={},
        argument_required=True,
        argument_zh="值为空时使用的值",
        argument_en="Value to use when there is none",
    ),
    Transform(name="required", zh="必填", en="Required", function=_required),
    Transform(
        name="lookup",
        zh="值对照",
        en="Value map",
        function=_lookup,
        argument={"type": "object", "minProperties": 1},
        argument_required=True,
        argument_zh="来源值到目标值的对照；“*”表示其他值，没有它时遇到未列出的值会报错",
        argument_en="Source value to target value; '*' is anything else, without it an unlisted value is an error",
    ),
    Transform(
        name="yes_no",
        zh="是 / 否",
        en="Yes or no",
        function=_yes_no,
        argument={
            "type": "object",
            "properties": {"yes": {}, "no": {}},
            "required": ["yes", "no"],
            "additionalProperties": False,
        },
        argument_zh='是与否各写成什么，例如 {"yes": "是", "no": "否"}；不填则为 true / false',
        argument_en='What to write for yes and for no, e.g. {"yes": "是", "no": "否"}; true and false unless given',
    ),
)
