"""A mapping document as bytes: reading with errors a person can act on, writing in one canonical form."""

from __future__ import annotations

import json
from collections.abc import Mapping as AnyMapping
from decimal import Decimal
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from runtime.errors import BadMapping
from runtime.mapping.canonical import canonical_json
from runtime.mapping.models import Mapping
from runtime.mapping.problems import Problem
from runtime.mapping.wrong_keys import explain

__all__ = ["LARGEST", "dump_mapping", "find_problems", "parse_json", "parse_mapping"]

#: Bytes; a mapping with 300 fields has about 30,000.
LARGEST: Final = 2_000_000
_FORMAT: Final = 1
#: Problems named in one error.
_NAMED: Final = 10


def parse_mapping(data: bytes | dict[str, Any], where: str = "") -> Mapping:
    """Read a mapping document.

    :param where: file name or id, for errors
    :raises BadMapping: too large, not JSON, another format, or wrong keys and values, each with its JSON path
    """
    document = data if isinstance(data, dict) else parse_json(data, where)
    mapping, problems = _validate(document)
    if mapping is None:
        raise _bad(problems, where)
    return mapping


def find_problems(document: dict[str, Any]) -> list[Problem]:
    """What keeps a document from being a mapping: one problem for each wrong key or value, with its JSON path."""
    return _validate(document)[1]


def dump_mapping(mapping: Mapping) -> bytes:
    """The document in its canonical form: fixed order of keys, two spaces, UTF-8, a final newline.

    What a key says by being absent is left out, so that equal mappings are equal files.
    """
    document = mapping.model_dump(by_alias=True, exclude_defaults=True)
    head = {key: getattr(mapping, key) for key in ("format", "id", "title", "enabled")}
    body = {key: document.get(key, {}) for key in ("connections", "settings", "flows")}
    filled = {**document, **head, **body}
    ordered = {key: filled[key] for key in Mapping.model_fields if key in filled}
    return (canonical_json(ordered) + "\n").encode()


def parse_json(data: bytes, where: str = "") -> dict[str, Any]:
    """Read an object from JSON text; numbers with a fraction become ``Decimal``.

    :raises BadMapping: larger than :data:`LARGEST`, not UTF-8, not JSON, a key given twice, or not an object
    """
    if len(data) > LARGEST:
        raise BadMapping(
            f"文件有 {len(data):,} 字节，超过上限 {LARGEST:,} 字节，不像映射文件",
            f"The file has {len(data):,} bytes, more than the limit of {LARGEST:,}: this is hardly a mapping",
            where=where,
        )
    try:
        document = json.loads(
            data.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_repeats
        )
    except json.JSONDecodeError as error:
        raise BadMapping(
            f"第 {error.lineno} 行第 {error.colno} 列不是合法的 JSON",
            f"Not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}",
            where=where,
        ) from error
    except UnicodeDecodeError as error:
        raise BadMapping(
            f"第 {error.start + 1} 个字节不是 UTF-8；请用 UTF-8 编码保存",
            f"Byte {error.start + 1} is not UTF-8: save the file in UTF-8",
            where=where,
        ) from error
    except (_Repeated, _NoNumber, RecursionError, ValueError) as error:
        zh, en = _json_reason(error)
        raise BadMapping(zh, en, where=where) from error
    if not isinstance(document, dict):
        raise BadMapping("文件内容不是 JSON 对象", "The file does not hold a JSON object", where=where)
    return document


class _Repeated(Exception):
    """A key stands twice in one object."""


class _NoNumber(Exception):
    """NaN or Infinity, which JSON does not have."""


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Repeated(next(name for name in names if names.count(name) > 1))
    return found


def _no_constant(name: str) -> NoReturn:
    raise _NoNumber(name)


def _json_reason(error: Exception) -> tuple[str, str]:
    match error:
        case _Repeated():
            return f"键“{error}”在同一个对象里出现了两次", f"The key {str(error)!r} stands twice in one object"
        case _NoNumber():
            return f"{error} 不是 JSON 数字", f"{error} is not a JSON number"
        case RecursionError():
            return "嵌套过深", "It is nested too deeply"
    return f"数字过大或不合法：{error}", f"A number is too large or malformed: {error}"


def _validate(document: dict[str, Any]) -> tuple[Mapping | None, list[Problem]]:
    problems = _wrong_format(document)
    if problems:
        return None, problems
    try:
        return Mapping.model_validate(_plain(document, ""), by_alias=True, by_name=False), []
    except _NotJson as error:
        return None, [Problem("error", error.path, error.zh, error.en)]
    except RecursionError as error:
        zh, en = _json_reason(error)
        return None, [Problem("error", "", zh, en)]
    except ValidationError as error:
        return None, explain(error, document)


def _wrong_format(document: dict[str, Any]) -> list[Problem]:
    if "format" not in document:
        return [
            Problem(
                "error",
                "format",
                f'缺少 format；映射文件的第一行应为 "format": {_FORMAT}',
                f'There is no format: a mapping begins with "format": {_FORMAT}',
            )
        ]
    found = document["format"]
    if type(found) is int and found == _FORMAT:
        return []
    if type(found) is int and found > _FORMAT:
        return [
            Problem(
                "error",
                "format",
                f"这个文件的格式是 {found}，由更新的版本写成；此版本只认识格式 {_FORMAT}，请升级",
                f"This file has format {found}, of a newer version; this one knows format {_FORMAT}: upgrade",
            )
        ]
    return [Problem("error", "format", f"format 应为 {_FORMAT}", f"format must be {_FORMAT}")]


class _NotJson(Exception):
    def __init__(self, path: str, zh: str, en: str) -> None:
        super().__init__(path)
        self.path, self.zh, self.en = path, zh, en


def _plain(value: Any, path: str) -> Any:
    """The value with fractions as decimals, made of nothing but what JSON can hold."""
    match value:
        case None | bool() | int():
            return value
        case str():
            if not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise _NotJson(path, "文本里有半个代理字符", "The text holds half a surrogate pair") from None
            return value
        case float() | Decimal():
            number = Decimal(repr(value)) if isinstance(value, float) else value
            if not number.is_finite():
                raise _NotJson(path, f"{number} 不是 JSON 数字", f"{number} is not a JSON number")
            return number
        case list() | tuple():
            return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
        case AnyMapping():
            return {_key(key, path): _plain(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
    kind = type(value).__name__
    raise _NotJson(path, f"{kind} 不能写进 JSON", f"A {kind} has no JSON form")


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise _NotJson(path, "对象的键必须是文本", "The keys of an object must be text")
    _plain(key, path)
    return key


def _bad(problems: list[Problem], where: str) -> BadMapping:
    if len(problems) == 1:
        only = problems[0]
        return BadMapping(only.zh, only.en, where=": ".join(filter(None, (where, only.where))))
    more = len(problems) - _NAMED
    more_zh, more_en = (f"；另有 {more} 处", f"; and {more} more") if more > 0 else ("", "")
    return BadMapping(
        "；".join(f"{problem.where}：{problem.zh}" for problem in problems[:_NAMED]) + more_zh,
        "; ".join(f"{problem.where}: {problem.en}" for problem in problems[:_NAMED]) + more_en,
        where=where,
    )
