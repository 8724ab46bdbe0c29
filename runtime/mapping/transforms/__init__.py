"""Named transforms: what stands in a field's ``through``.

A transform is written as its bare name (``"trim"``) or with its argument (``{"round": 2}``). Null passes through all of
them except those that deal with it (``default``, ``required``, ``lookup``, ``count``, ``sum``).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from runtime.config import DEFAULT_TIMEZONE
from runtime.errors import BadMapping
from runtime.mapping.transforms import common, dates, numbers, rows, text
from runtime.mapping.transforms.base import NO_ARGUMENT, Transform
from runtime.mapping.values import open_zone, shown

__all__ = ["TRANSFORMS", "Transform", "compile_transform", "transform_name"]

#: Name → transform, in the order in which a person should see them.
TRANSFORMS: Mapping[str, Transform] = {
    transform.name: transform
    for transform in (
        *dates.TRANSFORMS,
        *numbers.TRANSFORMS,
        *text.TRANSFORMS,
        *common.TRANSFORMS,
        *rows.TRANSFORMS,
    )
}


def transform_name(spec: str | Mapping[str, Any]) -> str:
    """The name in a ``through`` entry."""
    return spec if isinstance(spec, str) else next(iter(spec))


def compile_transform(
    spec: str | Mapping[str, Any], *, timezone: str = DEFAULT_TIMEZONE, where: str = ""
) -> Callable[[Any], Any]:
    """The function of one ``through`` entry. It raises MappingFailed for a value that it cannot work on.

    :param timezone: IANA zone that moments are converted to
    :raises BadMapping: no such transform, or its argument is missing or wrong
    """
    name = transform_name(spec)
    transform = TRANSFORMS.get(name)
    if transform is None:
        raise _unknown(name, where)
    argument = NO_ARGUMENT if isinstance(spec, str) else spec[name]
    if argument is NO_ARGUMENT and transform.argument_required:
        raise BadMapping(
            f"转换“{name}”缺少参数：{transform.argument_zh}",
            f"Transform {name!r} needs an argument: {transform.argument_en}",
            where=where,
        )
    if argument is not NO_ARGUMENT and transform.argument is None:
        raise BadMapping(f"转换“{name}”没有参数", f"Transform {name!r} takes no argument", where=where)
    try:
        return transform.function(argument, open_zone(timezone, where))
    except ValueError as error:
        raise BadMapping(
            f"转换“{name}”的参数 {shown(argument)} 不对：{transform.argument_zh}",
            f"Transform {name!r} cannot use the argument {shown(argument)}: {transform.argument_en}",
            where=where,
        ) from error


def _unknown(name: str, where: str) -> BadMapping:
    near = difflib.get_close_matches(name, TRANSFORMS, 1, 0.5)
    hint_zh, hint_en = (f"；是否想写“{near[0]}”？", f"; did you mean {near[0]!r}?") if near else ("", "")
    return BadMapping(f"没有名为“{name}”的转换{hint_zh}", f"There is no transform {name!r}{hint_en}", where=where)
