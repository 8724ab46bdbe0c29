"""Text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.mapping.transforms.base import (
    OBJECT_OF_TEXT,
    TEXT,
    Change,
    Transform,
    integer_argument,
    text_argument,
    text_pairs,
)
from runtime.mapping.values import to_text

__all__ = ["TRANSFORMS"]

_LONGEST: Final = 100_000


def _on_text(function: Callable[[str], Any]) -> Change:
    return lambda value: None if value is None else function(to_text(value))


def _plain(function: Callable[[str], str]) -> Callable[[Any, ZoneInfo], Change]:
    return lambda _argument, _zone: _on_text(function)


def _truncate(argument: Any, _zone: ZoneInfo) -> Change:
    length = integer_argument(argument, 0, _LONGEST)
    return _on_text(lambda text: text[:length])


def _prefix(argument: Any, _zone: ZoneInfo) -> Change:
    before = text_argument(argument)
    return _on_text(lambda text: before + text)


def _suffix(argument: Any, _zone: ZoneInfo) -> Change:
    behind = text_argument(argument)
    return _on_text(lambda text: text + behind)


def _replace(argument: Any, _zone: ZoneInfo) -> Change:
    pairs = tuple(text_pairs(argument).items())
    if any(not old for old, _ in pairs):
        raise ValueError("nothing to replace")

    def replace(text: str) -> str:
        for old, new in pairs:
            text = text.replace(old, new)
        return text

    return _on_text(replace)


def _split(argument: Any, _zone: ZoneInfo) -> Change:
    separator = text_argument(argument, ",")
    if not separator:
        raise ValueError("no separator")
    return _on_text(lambda text: [part for part in map(str.strip, text.split(separator)) if part])


TRANSFORMS: Final = (
    Transform(name="text", zh="转为文本", en="Text", function=_plain(lambda text: text)),
    Transform(name="trim", zh="去掉首尾空白", en="Trim", function=_plain(str.strip)),
    Transform(
        name="truncate",
        zh="截断",
        en="Truncate",
        function=_truncate,
        argument={"type": "integer", "minimum": 0, "maximum": _LONGEST},
        argument_required=True,
        argument_zh="最多保留的字数",
        argument_en="Number of characters to keep, at most",
    ),
    Transform(name="upper", zh="转为大写", en="Upper case", function=_plain(str.upper)),
    Transform(name="lower", zh="转为小写", en="Lower case", function=_plain(str.lower)),
    Transform(
        name="prefix",
        zh="加前缀",
        en="Prefix",
        function=_prefix,
        argument=TEXT,
        argument_required=True,
        argument_zh="放在前面的文字",
        argument_en="Text to put in front",
    ),
    Transform(
        name="suffix",
        zh="加后缀",
        en="Suffix",
        function=_suffix,
        argument=TEXT,
        argument_required=True,
        argument_zh="放在后面的文字",
        argument_en="Text to put behind",
    ),
    Transform(
        name="replace",
        zh="替换文字",
        en="Replace",
        function=_replace,
        argument=OBJECT_OF_TEXT,
        argument_required=True,
        argument_zh="旧文字到新文字的对照，依次替换",
        argument_en="Old text to new text, replaced one after the other",
    ),
    Transform(
        name="split",
        zh="拆成列表",
        en="Split",
        function=_split,
        argument=TEXT,
        argument_zh="分隔符，默认逗号；空段去掉",
        argument_en="Separator, a comma unless given; empty parts are dropped",
    ),
)
