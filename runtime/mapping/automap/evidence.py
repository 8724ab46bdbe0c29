"""Why a source may belong to a target: every way in which their names can agree, with the confidence it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz, process

from runtime.mapping.automap.fields import Source, Target
from runtime.mapping.automap.lexicon import is_latin, normal
from runtime.mapping.automap.names import Name, names_of
from runtime.mapping.automap.spellings import Spellings
from runtime.mapping.automap.words import BUSINESS, DOCUMENT, Meaning, meaning

__all__ = ["Evidence", "Index"]

#: Confidence of each way, before the types are compared; below 0.6 it is only a candidate.
_SYNONYM: Final = 0.88
_HEAD: Final = 0.8
_LOOSE: Final = 0.5
_FUZZY: Final = 0.75
_LEAST_ALIKE: Final = 85
#: What it costs that only one of two names says whose it is, or what it is besides (名称, 人员).
_UNSAID: Final = 0.04
_NO_ENDING: Final = 0.08
#: Characters that a label may have or not.
_FILLERS: Final = str.maketrans("", "", "的之")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One source for a target, with the reason."""

    source: Source
    confidence: float
    zh: str
    en: str


class Index:
    """All names of the sources of one group, ready to be looked up."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._names = [name for source in sources for name in names_of(source)]
        self._contexts = tuple(dict.fromkeys(name.context for name in self._names))
        self._exact: dict[str, list[Name]] = {}
        self._words: dict[tuple[str, ...], list[Name]] = {}
        self._heads: dict[tuple[str, ...], list[Name]] = {}
        self._filled: dict[str, list[Name]] = {}
        for name in self._names:
            self._exact.setdefault(name.text, []).append(name)
            if not name.latin and name.source.type != "time":
                self._words.setdefault(name.meaning.words, []).append(name)
                self._heads.setdefault(name.meaning.head, []).append(name)
                self._filled.setdefault(name.text.translate(_FILLERS), []).append(name)
        self._latin = {number: name.text for number, name in enumerate(self._names) if name.latin}
        self._spellings = Spellings(name for name in self._names if not name.latin)

    def evidence(self, target: Target) -> dict[Source, Evidence]:
        """The best evidence for each source that has any; types are not compared."""
        best: dict[Source, Evidence] = {}
        texts = dict.fromkeys(filter(None, (normal(target.label), normal(target.id))))
        for text in texts:
            for found in self._all(text):
                old = best.get(found.source)
                if old is None or (found.confidence, found.zh) > (old.confidence, old.zh):
                    best[found.source] = found
        return best

    def _all(self, text: str) -> Iterator[Evidence]:
        for name in self._exact.get(text, ()):
            yield _same(name)
        if is_latin(text):
            for found in self._spellings.find(text):
                zh, en = f"{found.zh}：{text} = {found.name.shown}", f"{found.en}: {text} = {found.name.shown}"
                yield Evidence(found.name.source, found.confidence, zh, en)
            yield from self._alike(text)
        else:
            yield from self._by_words(text)
            yield from self._by_latin_names(text)
            yield from self._but_for_fillers(text)

    def _by_words(self, text: str) -> Iterator[Evidence]:
        for context in self._contexts:
            wanted = meaning(text, context)
            for name in self._words.get(wanted.words, ()):
                if name.context == context and wanted.question == name.meaning.question:
                    zh, en = f"同义：{text} = {name.shown}", f"same in other words: {text} = {name.shown}"
                    yield Evidence(name.source, _SYNONYM - name.cost, zh, en)
            heads = [(subject,) for subject in context.subjects] if wanted.bare and context.itself else [wanted.head]
            for name in (name for head in heads for name in self._heads.get(head, ())):
                confidence = _head_confidence(wanted, name) if name.context == context else 0.0
                if confidence:
                    yield _close(name, text, confidence)
            for name in self._heads.get(wanted.loose, ()):
                if name.context == context and not name.meaning.vague:
                    yield _close(name, text, _LOOSE)

    def _by_latin_names(self, text: str) -> Iterator[Evidence]:
        """A column or user field that is itself named by initials: ``U_GGXH`` for 规格型号."""
        for letters, confidence in self._spellings.of(text):
            for name in self._exact.get(letters, ()):
                if name.given:
                    zh, en = f"拼音首字母：{name.shown} = {text}", f"pinyin initials: {name.shown} = {text}"
                    yield Evidence(name.source, confidence, zh, en)

    def _but_for_fillers(self, text: str) -> Iterator[Evidence]:
        for name in self._filled.get(text.translate(_FILLERS), ()):
            if name.text != text:
                yield _similar(name, text, _FUZZY)

    def _alike(self, text: str) -> Iterator[Evidence]:
        """A slip in a Latin name; Chinese names that differ by a character differ in meaning."""
        if len(text) < 6:
            return
        digits = _digits(text)
        for found, score, number in process.extract(
            text, self._latin, scorer=fuzz.ratio, processor=None, score_cutoff=_LEAST_ALIKE, limit=8
        ):
            if found != text and digits == _digits(found):
                yield _similar(self._names[number], text, _FUZZY * score / 100)


def _same(name: Name) -> Evidence:
    if name.way == "dictionary":
        zh, en = f"B1 字典：{name.source.name} = {name.shown}", f"B1 dictionary: {name.source.name} = {name.shown}"
    elif name.way == "label":
        zh, en = f"标签相同：{name.shown}", f"same label: {name.shown}"
    else:
        zh, en = f"名称相同：{name.shown}", f"same name: {name.shown}"
    return Evidence(name.source, name.base - name.cost, zh, en)


def _close(name: Name, text: str, confidence: float) -> Evidence:
    zh, en = f"含义相近：{text} ≈ {name.shown}", f"close in meaning: {text} ≈ {name.shown}"
    return Evidence(name.source, confidence - name.cost, zh, en)


def _similar(name: Name, text: str, confidence: float) -> Evidence:
    zh, en = f"名称相近：{text} ≈ {name.shown}", f"similar name: {text} ≈ {name.shown}"
    return Evidence(name.source, confidence - name.cost, zh, en)


def _head_confidence(wanted: Meaning, name: Name) -> float:
    """How sure two names with the same head are the same; 0 when what they add is at odds.

    A bare noun may be a name; it is a code only where the dictionary says so.
    """
    found = name.meaning
    if wanted.question and not (found.question or name.source.type in ("boolean", "enum")):
        return 0.0
    if wanted.bare:
        return _HEAD - _UNSAID if wanted.head[0] == found.ending else 0.0
    if wanted.vague and wanted.said not in _also_said(found):
        return 0.0
    if wanted.ending and wanted.ending not in ((found.ending,) if found.ending else name.endings or (wanted.ending,)):
        return 0.0
    confidence = _HEAD
    if wanted.own != found.own:
        confidence -= _UNSAID
    if wanted.ending and not found.ending:
        confidence -= _NO_ENDING
    if found.ending and not wanted.ending:
        confidence = confidence - _UNSAID if found.ending == "名称" else 0.0
    return confidence


def _also_said(found: Meaning) -> tuple[tuple[str, ...], ...]:
    """The ways to say what is vague: a document's date is that of its business, and the only 日期 of its header."""
    if found.said == (DOCUMENT, "日期"):
        return found.said, (BUSINESS, "日期"), ("日期",)
    return (found.said, ("状态",)) if found.said == (DOCUMENT, "状态") else (found.said,)


def _digits(text: str) -> Sequence[str]:
    return [char for char in text if char.isdigit()]
