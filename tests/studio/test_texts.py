"""All words of the studio come from the catalogues, in both languages, and every key exists."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import studio
from studio.components.mapper import assets
from studio.i18n import LANGUAGES, catalogue, plain

ROOT = Path(studio.__file__).parent
#: Words and punctuation.
CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
#: They show values as the approver reads them, who reads Chinese.
AS_THE_OA = {"control_text.py", "form_view.py"}
#: They speak before Streamlit runs, in both languages at once.
BEFORE_STREAMLIT = {"launcher.py", "demo.py"}
#: Calls whose texts a person reads.
SPEAKING = {
    "button", "caption", "checkbox", "date_input", "download_button", "error", "expander", "file_uploader", "header",
    "info", "link_button", "markdown", "metric", "multiselect", "number_input", "pills", "popover", "radio",
    "segmented_control", "selectbox", "slider", "spinner", "subheader", "success", "tabs", "text_area", "text_input",
    "title", "toast", "toggle", "warning", "write", "dialog", "status",
}  # fmt: skip


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        if path.name not in BEFORE_STREAMLIT:
            yield path, ast.parse(path.read_text("utf-8"))


def test_all_languages_have_the_same_keys_and_placeholders() -> None:
    first, *others = (catalogue(name) for name in LANGUAGES)
    for other in others:
        assert first.keys() == other.keys()
        for key in first:
            if key.startswith("mapper.") or "{{ " in first[key]:
                continue
            assert placeholders(first[key]) == placeholders(other[key]), key


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def docstrings(tree: ast.Module) -> set[int]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, owners) and node.body and isinstance(node.body[0], ast.Expr):
            found.add(id(node.body[0].value))
    return found


def test_no_chinese_words_outside_the_catalogues() -> None:
    wrong = []
    for path, tree in sources():
        if path.name in AS_THE_OA:
            continue
        doc = docstrings(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or id(node) in doc:
                continue
            if CHINESE.search(node.value) and not raised_in_both_languages(tree, node):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}")
    assert not [line for line in wrong if "i18n.py" not in line]


def raised_in_both_languages(tree: ast.Module, text: ast.Constant) -> bool:
    """Errors of the product carry both sentences themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and any(inner is text for inner in ast.walk(node)):
            return True
    return False


def test_what_a_person_reads_is_never_a_literal() -> None:
    wrong = []
    for path, tree in sources():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SPEAKING):
                continue
            spoken = [*node.args[:1], *(word.value for word in node.keywords if word.arg in ("label", "help", "body"))]
            for item in spoken:
                if isinstance(item, ast.Constant) and isinstance(item.value, str) and re.search("[A-Za-z]", item.value):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {item.value!r}")
    assert not wrong


def keys_in_code() -> Iterator[tuple[str, str]]:
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t" and node.args:
                key = node.args[0]
                if isinstance(key, ast.Constant):
                    yield f"{path.name}:{node.lineno}", re.escape(str(key.value))
                elif isinstance(key, ast.JoinedStr):
                    parts = [re.escape(v.value) if isinstance(v, ast.Constant) else ".+" for v in key.values]
                    yield f"{path.name}:{node.lineno}", "".join(parts)


def test_every_key_in_the_code_is_in_the_catalogues() -> None:
    known = catalogue("zh-CN")
    missing = [
        (place, pattern) for place, pattern in keys_in_code() if not any(re.fullmatch(pattern, key) for key in known)
    ]
    assert not missing


def test_every_key_of_the_component_is_in_the_catalogues() -> None:
    script, _ = assets()
    said = set(re.findall(r'(?:texts\.|say\(")(\w+)', script)) - {"language"}
    missing = {key for key in said if f"mapper.{key}" not in catalogue("zh-CN")}
    assert not missing


@pytest.mark.parametrize("hostile", ["![x](http://evil)", "[a](b)", "$x$", ":red[x]", "<b>", "`c`", "# h"])
def test_plain_text_cannot_become_markup(hostile: str) -> None:
    assert not re.search(r"(?<!\\)[`*_\[\]<>$#!:]", plain(hostile))
