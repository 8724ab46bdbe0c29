"""From pydantic's account of what does not fit the models to sentences with the JSON path and the nearest right key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runtime.mapping import models
from runtime.mapping.models import STEP_KINDS, Mapping
from runtime.mapping.problems import Problem
from runtime.mapping.values import shown

__all__ = ["explain", "json_path"]

#: Keys whose lists hold steps: pydantic names the kind of a step in its paths, JSON does not.
_STEP_LISTS: Final = frozenset(("steps", "then", "else", "default", "try", "catch"))
_STEP_OF: Final = {kind: getattr(models, f"{kind.capitalize()}Step") for kind in STEP_KINDS}

#: What pydantic calls the two ways to give a role its connection.
_ROLE_CONNECTIONS: Final = {"fixed": str, "dynamic": models.DynamicConnection}

#: Kind of error → sentence; ``{found}`` is the value, the others come from pydantic's context.
_SENTENCES: Final = {
    "one_source": ("from 和 value 必须且只能给一个", "Give exactly one of 'from' and 'value'"),
    "one_clock": ("every 和 cron 必须且只能给一个", "Give exactly one of 'every' and 'cron'"),
    "one_trigger": (
        "schedule、event、http、manual 必须且只能给一个",
        "Give exactly one of 'schedule', 'event', 'http', 'manual'",
    ),
    "missing": ("缺少这个键", "This key is missing"),
    "string_type": ("应为文本，实为 {found}", "It must be a text, not {found}"),
    "string_too_short": ("不能为空", "It must not be empty"),
    "int_type": ("应为整数，实为 {found}", "It must be a whole number, not {found}"),
    "int_parsing": ("应为整数，实为 {found}", "It must be a whole number, not {found}"),
    "int_from_float": ("应为整数，实为 {found}", "It must be a whole number, not {found}"),
    "bool_type": ("应为 true 或 false，实为 {found}", "It must be true or false, not {found}"),
    "bool_parsing": ("应为 true 或 false，实为 {found}", "It must be true or false, not {found}"),
    "dict_type": ("应为对象，实为 {found}", "It must be an object, not {found}"),
    "model_type": ("应为对象，实为 {found}", "It must be an object, not {found}"),
    "model_attributes_type": ("应为对象，实为 {found}", "It must be an object, not {found}"),
    "tuple_type": ("应为列表，实为 {found}", "It must be a list, not {found}"),
    "greater_than_equal": ("不能小于 {ge}，实为 {found}", "It must be at least {ge}, not {found}"),
    "less_than_equal": ("不能大于 {le}，实为 {found}", "It must be at most {le}, not {found}"),
    "too_short": ("至少要有 {min_length} 项", "It needs at least {min_length} of them"),
    "too_long": ("最多只能有 {max_length} 项", "It may have at most {max_length} of them"),
    "literal_error": ("{found} 不在可用值之内：{expected}", "{found} is not one of {expected}"),
    "enum": ("{found} 不在可用值之内：{expected}", "{found} is not one of {expected}"),
    "string_pattern_mismatch": ("{found} 的写法不对", "{found} is not written as it should be"),
}
#: What a pattern asks for, by the last key of the path.
_WRITTEN_AS: Final = {
    "id": ("只用小写字母、数字、连字符", "lower-case letters, digits and hyphens only"),
    "call": ("写成 连接角色.动作，例如 erp.query", "written as role.action, e.g. erp.query"),
    "every": ("写成 30s 5m 2h 1d 1w 1M", "written as 30s 5m 2h 1d 1w 1M"),
    "offset": ("写成 10s 5m 1h", "written as 10s 5m 1h"),
    "path": ("用字母、数字和 _ . / - 组成，不以 / 开头", "made of letters, digits and _ . / -, not beginning with /"),
}
_NAME: Final = ("以字母开头，只用字母、数字和下划线", "letters, digits and underscores, beginning with a letter")


def explain(error: ValidationError, document: Any) -> list[Problem]:
    """One problem for each wrong key or value, in the order of the document."""
    problems: dict[tuple[str, str], Problem] = {}
    for detail in _most_telling(error.errors(include_url=False)):
        problem = _problem(detail, document)
        problems.setdefault((problem.where, problem.en), problem)
    return list(problems.values())


def json_path(parts: Sequence[str | int]) -> str:
    """``flows.submit.steps[1].map``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _most_telling(details: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without what merely follows from a misspelt key beside it: the right key is then missing, no source is given."""
    unknown = {_parts(detail)[:-1] for detail in details if detail["type"] == "extra_forbidden"}
    for detail in details:
        parts = _parts(detail)
        follows = (detail["type"] == "missing" and parts[:-1] in unknown) or (
            detail["type"].startswith("one_") and parts in unknown
        )
        if not follows:
            yield detail


def _problem(detail: ErrorDetails, document: Any) -> Problem:
    parts = _parts(detail)
    where = json_path(parts)
    kind = detail["type"]
    if kind == "extra_forbidden":
        zh, en = _unknown_key(str(parts[-1]), _keys_at(detail["loc"][:-1]))
    elif kind == "step_kind":
        zh, en, key = _unknown_step(detail["input"])
        where += f".{key}" if key else ""
    elif kind == "string_pattern_mismatch":
        zh, en = _pattern(detail, str(parts[-1]) if parts else "")
    elif kind in _SENTENCES:
        context = {"found": shown(detail["input"]), **detail.get("ctx", {})}
        zh, en = (sentence.format_map(context) for sentence in _SENTENCES[kind])
    else:
        zh, en = f"值不对：{detail['msg']}", detail["msg"]
    return Problem("error", where, zh, en)


def _parts(detail: ErrorDetails) -> tuple[str | int, ...]:
    """The JSON path: without the kinds of steps, members of unions and ``[key]`` that pydantic puts in between."""
    parts: list[str | int] = []
    location = detail["loc"]
    skip = False
    for index, part in enumerate(location):
        if skip:
            skip = False
            continue
        behind = location[index - 2 : index] if index >= 2 else ()
        role = index == 2 and behind[0] == "connections" and part in _ROLE_CONNECTIONS
        if isinstance(part, str) and (part == "[key]" or role or _is_union_member(part, behind)):
            continue
        parts.append(part)
        skip = isinstance(part, int) and len(parts) >= 2 and parts[-2] in _STEP_LISTS
    return tuple(parts)


def _is_union_member(part: str, behind: Sequence[str | int]) -> bool:
    through = len(behind) == 2 and behind[0] == "through" and isinstance(behind[1], int)
    status = bool(behind) and behind[-1] == "status"
    return (through and (part == "str" or part.startswith("dict["))) or (status and part in ("int", "str"))


def _keys_at(location: Sequence[str | int]) -> list[str]:
    """The keys that the object at this place of the document may have."""
    model: Any = Mapping
    for part in location:
        model = _inside(model, part)
    model = next((kind for kind in get_args(model) if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _inside(kind: Any, part: str | int) -> Any:
    """The type behind one part of pydantic's path."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        keys = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        return keys.get(str(part))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (tuple, list) and isinstance(part, int):
        return arguments[0]
    if origin is dict:
        return arguments[1]
    if isinstance(part, str) and kind == models.Step:
        return _STEP_OF.get(part)
    if isinstance(part, str) and kind == models.RoleConnection:
        return _ROLE_CONNECTIONS.get(part)
    return next(filter(None, (_inside(member, part) for member in arguments)), None)


def _unknown_key(key: str, known: Sequence[str]) -> tuple[str, str]:
    if key in STEP_KINDS and any(kind in known for kind in STEP_KINDS):
        return (
            f"一个步骤只能是一种：{'、'.join(STEP_KINDS)}；“{key}”多余",
            f"A step is exactly one of {', '.join(STEP_KINDS)}: {key!r} is one too many",
        )
    near = difflib.get_close_matches(key, known, 1, 0.5)
    if near:
        return f"不认识的键“{key}”；是否想写“{near[0]}”？", f"Unknown key {key!r}; did you mean {near[0]!r}?"
    return f"不认识的键“{key}”；可用：{'、'.join(known)}", f"Unknown key {key!r}; known: {', '.join(known)}"


def _unknown_step(step: Any) -> tuple[str, str, str]:
    zh = f"步骤必须是其中一种：{'、'.join(STEP_KINDS)}"
    en = f"A step is exactly one of: {', '.join(STEP_KINDS)}"
    for key in step if isinstance(step, dict) else ():
        near = difflib.get_close_matches(str(key), STEP_KINDS, 1, 0.6)
        if near and key not in ("id", "with", "as", "key", "then", "steps", "cases"):
            return f"{zh}；“{key}”是否想写“{near[0]}”？", f"{en}; {key!r}: did you mean {near[0]!r}?", str(key)
    return zh, en, ""


def _pattern(detail: ErrorDetails, key: str) -> tuple[str, str]:
    found = shown(detail["input"])
    name_like = re.search(r"A-Za-z_\]\[", str(detail.get("ctx", {}).get("pattern", "")))
    zh, en = _WRITTEN_AS.get(key, _NAME) if not (key == "id" and name_like) else _NAME
    return f"{found} 的写法不对：{zh}", f"{found} is not written right: {en}"
