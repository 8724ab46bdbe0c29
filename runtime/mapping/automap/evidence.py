"""Why a source may belong to a target: every way in which their names can agree, with the confidence it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz, process

from runtime.mapping.automap.fields import Source, Target
from runtime.mapping.automap.pinyin import initials, spelled, syllables
from runtime.mapping.automap.words import Meaning, acts, is_latin, meaning, normal, variants
from runtime.mapping.dictionary import find_column, find_property

__all__ = ["Evidence", "Index"]

#: Confidence of each way, before the types are compared.
_NAME: Final = 1.0
_LABEL: Final = 0.98
_DICTIONARY: Final = 0.95
_SYNONYM: Final = 0.88
_HEAD: Final = 0.78
_FULL_PINYIN: Final = 0.86
#: Initials by their number: few letters say little.
_INITIALS: Final = {2: 0.72, 3: 0.8}
_MANY_INITIALS: Final = 0.84
_FUZZY: Final = 0.75
#: What it costs when the name is not a field's usual one, by its place in the dictionary.
_RANK: Final = 0.01
_RANKS: Final = 4
#: What it costs initials that the field is little used: ``bz`` is 备注 rather than 币种.
_RARE: Final = 0.06
_RARELY: Final = 60
_IN_OTHER_WORDS: Final = 0.06
_WITH_ACT: Final = 0.08
_LEAST_ALIKE: Final = 85
#: Characters that turn a name into its opposite: similar names must have the same ones.
_OPPOSITES: Final = frozenset("不未非无入出进销起止大小高低上下前后正负收付增减新旧0123456789")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One source for a target, with the reason."""

    source: Source
    confidence: float
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class _Name:
    """One name of a source; ``cost`` is 0 for the usual one."""

    source: Source
    text: str
    shown: str
    base: float
    cost: float
    #: From 0 for a field that is used much to 1.
    rare: float
    way: str
    meaning: Meaning
    spelling: tuple[str, ...]


class Index:
    """All names of the sources of one group, ready to be looked up."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._names = [name for source in sources for name in _names(source)]
        self._exact: dict[str, list[_Name]] = {}
        self._words: dict[tuple[str, ...], list[_Name]] = {}
        self._heads: dict[tuple[str, ...], list[_Name]] = {}
        self._spelled: dict[str, list[_Name]] = {}
        #: Initials → name and what it costs that they are those of other words for it
        self._initials: dict[str, list[tuple[_Name, float]]] = {}
        for name in self._names:
            self._exact.setdefault(name.text, []).append(name)
            if is_latin(name.text):
                continue
            self._words.setdefault(name.meaning.words, []).append(name)
            self._heads.setdefault(name.meaning.head, []).append(name)
            self._spelled.setdefault(name.spelling[0][0], []).append(name)
            seen = set()
            for number, variant in enumerate(variants(name.text)):
                letters = initials(variant)
                if letters not in seen:
                    seen.add(letters)
                    self._initials.setdefault(letters, []).append((name, _IN_OTHER_WORDS if number else 0.0))
        self._acts = sorted({initials((act,)) for act in acts()})
        self._texts = {number: name.text for number, name in enumerate(self._names)}

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
            yield from self._by_pinyin(text)
        else:
            yield from self._by_words(text)
            yield from self._by_latin_names(text)
        yield from self._alike(text)

    def _by_words(self, text: str) -> Iterator[Evidence]:
        wanted = meaning(text)
        for name in self._words.get(wanted.words, ()):
            zh, en = f"同义：{text} = {name.shown}", f"same in other words: {text} = {name.shown}"
            yield Evidence(name.source, _SYNONYM - name.cost, zh, en)
        for name in self._heads.get(wanted.head, ()):
            confidence = _head_confidence(wanted, name.meaning)
            if confidence:
                zh, en = f"含义相近：{text} ≈ {name.shown}", f"close in meaning: {text} ≈ {name.shown}"
                yield Evidence(name.source, confidence - name.cost, zh, en)
        for name in self._heads.get(wanted.without_subject, ()):
            confidence = _head_confidence(wanted, name.meaning)
            if confidence:
                zh, en = f"含义相近：{text} ≈ {name.shown}", f"close in meaning: {text} ≈ {name.shown}"
                yield Evidence(name.source, confidence - _WITH_ACT - name.cost, zh, en)

    def _by_pinyin(self, text: str) -> Iterator[Evidence]:
        yield from self._by_initials(text, text, 0.0)
        for act in self._acts:
            rest = text.removeprefix(act)
            if rest != text and len(rest) > 1:
                yield from self._by_initials(rest, text, _WITH_ACT)
        for name in self._spelled.get(text[0], ()):
            if len(text) > len(name.spelling) > 1 and spelled(text, name.spelling):
                zh, en = f"拼音：{text} = {name.shown}", f"pinyin: {text} = {name.shown}"
                yield Evidence(name.source, _FULL_PINYIN - name.cost, zh, en)

    def _by_initials(self, letters: str, text: str, cost: float) -> Iterator[Evidence]:
        for name, more in self._initials.get(letters, ()):
            if cost and name.meaning.acts:
                continue
            yield _by_letters(name, text, name.shown, letters, cost + more)

    def _by_latin_names(self, text: str) -> Iterator[Evidence]:
        """A column or user field that is itself named by initials: ``U_GGXH`` for 规格型号."""
        for number, variant in enumerate(variants(text)):
            letters = initials(variant)
            for name in self._exact.get(letters, ()):
                if name.way == "name" and len(letters) > 1:
                    yield _by_letters(name, name.shown, text, letters, _IN_OTHER_WORDS if number else 0.0)

    def _alike(self, text: str) -> Iterator[Evidence]:
        if len(text) < (6 if is_latin(text) else 4):
            return
        opposites = _opposites(text)
        for found, score, number in process.extract(
            text, self._texts, scorer=fuzz.ratio, processor=None, score_cutoff=_LEAST_ALIKE, limit=8
        ):
            name = self._names[number]
            if found != text and opposites == _opposites(found):
                zh, en = f"名称相近：{text} ≈ {name.shown}", f"similar name: {text} ≈ {name.shown}"
                yield Evidence(name.source, _FUZZY * score / 100 - name.cost, zh, en)


def _names(source: Source) -> Iterator[_Name]:
    entry = find_property(source.entity, source.group, source.name)
    if entry is None:
        entry = find_column(source.table, source.column or source.name)
    short = source.name[2:] if source.name[:2].upper() == "U_" else ""
    named = [(source.name, _NAME, 0.0, "name"), (short, _LABEL, 0.0, "name"), (source.label, _LABEL, 0.0, "label")]
    if entry is not None:
        named += [
            (known, _DICTIONARY, _RANK * min(rank, _RANKS), "dictionary") for rank, known in enumerate(entry.names)
        ]
        named += [(latin, _DICTIONARY, 0.0, "dictionary") for latin in (entry.property, entry.column)]
    rare = min(entry.rank / _RARELY, 1.0) if entry is not None else 0.0
    for shown, base, cost, way in named:
        text = normal(shown)
        if text:
            spelling = () if is_latin(text) else syllables(text)
            yield _Name(source, text, shown, base, cost, rare, way, meaning(text), spelling)


def _same(name: _Name) -> Evidence:
    if name.way == "dictionary":
        zh, en = f"B1 字典：{name.source.name} = {name.shown}", f"B1 dictionary: {name.source.name} = {name.shown}"
    elif name.way == "label":
        zh, en = f"标签相同：{name.shown}", f"same label: {name.shown}"
    else:
        zh, en = f"名称相同：{name.shown}", f"same name: {name.shown}"
    return Evidence(name.source, name.base - name.cost, zh, en)


def _by_letters(name: _Name, spelling: str, words: str, letters: str, cost: float) -> Evidence:
    confidence = _INITIALS.get(len(letters), _MANY_INITIALS) if len(letters) > 1 else 0.0
    zh, en = f"拼音首字母：{spelling} = {words}", f"pinyin initials: {spelling} = {words}"
    return Evidence(name.source, max(0.0, confidence - name.cost - cost - _RARE * name.rare), zh, en)


def _head_confidence(wanted: Meaning, name: Meaning) -> float:
    """How sure two names with the same head are the same; 0 when what they add is at odds."""
    if wanted.vague or (wanted.acts and name.acts and wanted.acts != name.acts):
        return 0.0
    if wanted.ending and name.ending and wanted.ending != name.ending:
        return 0.0
    confidence = _HEAD
    if name.acts and not wanted.acts:
        confidence -= 0.14
    if wanted.ending and not name.ending:
        confidence -= 0.08
    if name.ending and not wanted.ending:
        confidence -= 0.04 if name.ending == "名称" else 0.08
    return confidence


def _opposites(text: str) -> Sequence[str]:
    return sorted(char for char in text if char in _OPPOSITES)
