"""A form from a list of its fields, where the OA does not offer its definition: JSON, CSV or Excel, uploaded or pasted.

One line per field; a header line names the columns, in Chinese or English::

    字段名, 显示名, 类型, 必填, 选项, 明细表
    sqr, 申请人, 人员, 是, ,
    qgdb, 请购单别, 选择框, , 0=自产请购;1=零星请购,
    wlbm, 物料编码, 文本, 是, , formtable_main_45_dt1
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from runtime import jsontext
from runtime.connectors.weaver.forms import control_type, parse_form
from runtime.connectors.weaver.values import CHECK
from runtime.errors import FormGone, ValueRefused
from runtime.mapping.forms import Control, ControlType, Form, Option

__all__ = ["form_of_fields", "read_field_list"]

_LARGEST = 5_000_000
_MOST_FIELDS = 2000

#: What a column of the list may be called, in lower case and without spaces.
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "id": ("字段名", "字段名称", "数据库字段", "数据库字段名", "列名", "fieldname", "name", "id", "column"),
    "label": (
        "显示名",
        "显示名称",
        "字段显示名",
        "标签",
        "中文名",
        "label",
        "fieldshowname",
        "fieldlabel",
        "labelname",
    ),
    "type": ("类型", "字段类型", "控件类型", "表现形式", "type", "controltype"),
    "html": ("fieldhtmltype", "htmltype"),
    "field_type": ("fieldtype", "browsertype"),
    "required": ("必填", "是否必填", "required", "ismand", "mand"),
    "options": ("选项", "可选项", "选择项", "options", "selectvalues"),
    "table": ("明细表", "所属表", "表名", "明细", "table", "tabledbname", "detailtable"),
    "format": ("格式", "日期格式", "format"),
}
_NAMES: Final = {name: column for column, names in _COLUMNS.items() for name in names}

_TIME = "HH:mm"
_MOMENT = "yyyy-MM-dd HH:mm"
#: Words for what a field holds → its type and date format.
_TYPES: Final[dict[str, tuple[ControlType, str]]] = {
    **{kind.value: (kind, "") for kind in ControlType},
    **dict.fromkeys(("", "文本", "单行文本", "单行文本框", "字符"), (ControlType.TEXT, "")),
    **dict.fromkeys(("多行文本", "多行文本框"), (ControlType.TEXTAREA, "")),
    **dict.fromkeys(("整数", "浮点数", "数字", "数值", "decimal", "integer", "float"), (ControlType.NUMBER, "")),
    **dict.fromkeys(("金额", "金额转换", "金额千分位"), (ControlType.MONEY, "")),
    **dict.fromkeys(("选择框", "下拉框", "单选", "单选框"), (ControlType.SELECT, "")),
    **dict.fromkeys(("多选", "复选", "复选框"), (ControlType.MULTISELECT, "")),
    **dict.fromkeys(("check框", "checkbox", "勾选框", "是否"), (ControlType.OTHER, "")),
    "日期": (ControlType.DATE, ""),
    **dict.fromkeys(("时间", "time"), (ControlType.DATE, _TIME)),
    **dict.fromkeys(("日期时间", "datetime"), (ControlType.DATE, _MOMENT)),
    **dict.fromkeys(("人员", "人力资源", "多人力资源", "person"), (ControlType.CONTACT, "")),
    **dict.fromkeys(("部门", "多部门"), (ControlType.DEPARTMENT, "")),
    **dict.fromkeys(("浏览按钮", "浏览框", "browser"), (ControlType.RELATION, "")),
    **dict.fromkeys(("附件", "附件上传", "file"), (ControlType.ATTACHMENT, "")),
}
_CHECK_WORDS = ("check框", "checkbox", "勾选框", "是否")
_YES, _NO = ("是", "y", "yes", "true", "1", "必填", "√"), ("", "否", "n", "no", "false", "0", "可选")


def read_field_list(content: bytes, name: str, *, code: str = "") -> Form:
    """The form that a list of fields describes. What getCreateWorkflowRequestInfo answers is understood too.

    :param name: the file's name; its ending tells the kind, without one the content does
    :param code: workflow id
    :raises ValueRefused: unreadable, or a line is wrong; ``where`` names the line (``第 3 行 row 3``) and the column
    """
    if len(content) > _LARGEST:
        raise ValueRefused(
            "文件太大，字段清单不超过 5 MB", "The file is too large: a field list has at most 5 MB", where=name
        )
    if content[:2] == b"PK" or name.lower().endswith((".xlsx", ".xlsm")):
        return form_of_fields(list(_table(_sheet(content, name), name)), code=code)
    if name.lower().endswith(".xls"):
        raise ValueRefused("请把旧版 Excel 另存为 .xlsx", "Save the old Excel file as .xlsx", where=name)
    text = _decoded(content, name)
    if name.lower().endswith(".json") or text.lstrip()[:1] in ("[", "{"):
        return _json_form(text, name, code)
    return form_of_fields(list(_table(_lines(text), name)), code=code)


def form_of_fields(fields: Sequence[tuple[str, Mapping[str, Any]]], *, code: str = "", title: str = "") -> Form:
    """A form from its fields.

    :param fields: (place, values) of each: ``id label type html field_type required options table format``
    :raises ValueRefused: a field is wrong, or there is none; ``where`` is its place
    """
    if len(fields) > _MOST_FIELDS:
        raise ValueRefused(f"字段超过 {_MOST_FIELDS} 个", f"More than {_MOST_FIELDS} fields", where=code)
    main: dict[str, Control] = {}
    details: dict[str, dict[str, Control]] = {}
    for place, values in fields:
        table = _text(values.get("table"))
        is_detail = bool(table) and not _is_main(table)
        owner = details.setdefault(table, {}) if is_detail else main
        control = _control(place, values)
        if control.id in owner:
            raise ValueRefused(
                f"字段 {control.id} 出现两次",
                f"The field {control.id} stands there twice",
                where=f"{place} 字段名 name",
            )
        owner[control.id] = control
    if not main and not details:
        raise ValueRefused("清单里没有字段", "The list holds no field", where=code)
    tables = (
        Control(id=table, label=table, type=ControlType.TABLE, children=tuple(columns.values()))
        for table, columns in details.items()
    )
    return Form(code=code, title=title or code, controls=(*main.values(), *tables))


def _is_main(table: str) -> bool:
    return table in ("主表", "main") or (table.startswith("formtable_main_") and "_dt" not in table)


def _control(place: str, values: Mapping[str, Any]) -> Control:
    name = _text(values.get("id"))
    if not name:
        raise ValueRefused("没有字段名", "The field's name is missing", where=f"{place} 字段名 name")
    kind, pattern, options = _kind(place, values)
    return Control(
        id=name,
        label=_text(values.get("label")) or name,
        type=kind,
        required=_truth(place, values.get("required")),
        options=options or tuple(_options(place, values.get("options"))),
        format=_text(values.get("format")) or pattern,
    )


def _kind(place: str, values: Mapping[str, Any]) -> tuple[ControlType, str, tuple[Option, ...]]:
    html = _text(values.get("html"))
    if html:
        kind, pattern = control_type(html, _text(values.get("field_type")))
        return kind, pattern, CHECK if html == "4" else ()
    word = _text(values.get("type")).lower()
    if word not in _TYPES:
        known = "、".join(("文本", "多行文本", "数字", "日期", "时间", "选择框", "check框", "人员", "部门", "附件"))
        raise ValueRefused(
            f"不认识的类型“{word}”（可用：{known} 等）", f"The type {word!r} is not known", where=f"{place} 类型 type"
        )
    kind, pattern = _TYPES[word]
    return kind, pattern, CHECK if word in _CHECK_WORDS else ()


def _truth(place: str, value: Any) -> bool:
    word = _text(value).lower()
    if word not in _YES + _NO:
        raise ValueRefused(
            f"必填应为“是”或“否”，而不是“{word}”",
            f"'Required' is yes or no, not {word!r}",
            where=f"{place} 必填 required",
        )
    return word in _YES


def _options(place: str, value: Any) -> Iterator[Option]:
    """``0=甲;1=乙``, names alone (then their position counts), or a list of either or of objects."""
    parts = value if isinstance(value, list) else _text(value).replace("；", ";").replace("\n", ";").split(";")
    for number, part in enumerate(part for part in parts if _text(part) or isinstance(part, Mapping)):
        if isinstance(part, Mapping):
            key, label = part.get("key", part.get("value")), part.get("label", part.get("name"))
        else:
            before, equals, after = _text(part).partition("=")
            key, label = (before.strip(), after.strip()) if equals else (str(number), before)
        if not _text(key) or not _text(label):
            raise ValueRefused("选项应写成 0=名称", "An option is written as 0=name", where=f"{place} 选项 options")
        yield Option(key=_text(key), label=_text(label))


def _json_form(text: str, name: str, code: str) -> Form:
    try:
        found = jsontext.loads(text)
    except ValueError as error:
        raise ValueRefused(f"不是有效的 JSON（{error}）", f"It is not JSON ({error})", where=name) from error
    if isinstance(found, Mapping):
        try:
            return parse_form(code, found)
        except FormGone:
            found = next((value for value in found.values() if isinstance(value, list)), None)
    if not isinstance(found, list) or not all(isinstance(entry, Mapping) for entry in found):
        raise ValueRefused("JSON 应为字段对象的列表", "The JSON is a list of field objects", where=name)
    fields = [
        (f"第 {number} 项 item {number}", {_NAMES.get(_plain(key), key): value for key, value in entry.items()})
        for number, entry in enumerate(found, start=1)
    ]
    return form_of_fields(fields, code=code)


def _table(lines: Iterator[tuple[int, list[Any]]], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines behind the header, by the names of :data:`_COLUMNS`."""
    header: list[str] = []
    for number, cells in lines:
        if not any(_text(cell) for cell in cells):
            continue
        if not header:
            header = [_NAMES.get(_plain(cell), "") for cell in cells]
            if "id" not in header:
                raise ValueRefused(
                    "首行没有“字段名”一列",
                    "The first line has no column 'name'",
                    where=f"{name} 第 {number} 行 row {number}",
                )
            continue
        yield f"第 {number} 行 row {number}", {key: cell for key, cell in zip(header, cells, strict=False) if key}


def _lines(text: str) -> Iterator[tuple[int, list[Any]]]:
    """Lines of a CSV; what is pasted from Excel is separated by tabs."""
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max("\t,;", key=head.count))
    try:
        for cells in reader:
            yield reader.line_num, list(cells)
    except csv.Error as error:
        raise ValueRefused(
            f"CSV 无法读取（{error}）", f"The CSV cannot be read ({error})", where=f"第 {reader.line_num} 行 row"
        ) from error


def _sheet(content: bytes, name: str) -> Iterator[tuple[int, list[Any]]]:
    """Rows of the first sheet."""
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        rows = book.worksheets[0].iter_rows(max_row=_MOST_FIELDS + 2, max_col=50, values_only=True)
        yield from ((number, list(row)) for number, row in enumerate(rows, start=1))
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError, ValueError, IndexError) as error:
        raise ValueRefused(
            f"Excel 文件无法读取（{error}）", f"The Excel file cannot be read ({error})", where=name
        ) from error


def _decoded(content: bytes, name: str) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueRefused("文件既不是 UTF-8 也不是 GBK 编码", "The file is neither UTF-8 nor GBK", where=name)


def _plain(cell: Any) -> str:
    return _text(cell).lower().replace(" ", "").replace("_", "")


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():  # Excel knows no whole numbers
        value = int(value)
    return "" if value is None else str(value).strip()
