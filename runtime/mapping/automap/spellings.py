"""Names as pinyin spells them, and how sure it is that letters stand for one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from runtime.mapping.automap.contexts import NOWHERE, Context
from runtime.mapping.automap.lexicon import lexicon, rivals
from runtime.mapping.automap.names import Name
from runtime.mapping.automap.pinyin import initials, spelled, syllables
from runtime.mapping.automap.words import silent, variants

__all__ = ["Spelling", "Spellings"]

_FULL: Final = 0.86
#: Initials by their number: few letters say little …
_INITIALS: Final = {2: 0.72, 3: 0.8}
_MANY: Final = 0.84
#: … and the less when the field is little used: ``bz`` is 备注 rather than 币种.
_RARE: Final = {2: 0.3, 3: 0.2}
_RARE_MANY: Final = 0.2
_IN_OTHER_WORDS: Final = 0.03
#: What it costs that a word is left out, or cut down to a character: 号 for 编号.
_SHORTER: Final = 0.05
_WITH_MORE: Final = 0.08
#: What it costs that the letters are those of a word that B1 has no field for.
_RIVAL: Final = 0.3
#: How columns begin that ask a question: 是否.
_ASKS: Final = "sf"


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name that letters may stand for."""

    name: Name
    confidence: float
    zh: str
    en: str


class Spellings:
    """All spellings of some names."""

    def __init__(self, names: Iterable[Name]) -> None:
        #: Initials → name and what it costs that they are those of other words for it
        self._initials: dict[str, list[tuple[Name, float]]] = {}
        #: First letter → name, its syllables, the same cost
        self._spelled: dict[str, list[tuple[Name, tuple[str, ...], float]]] = {}
        contexts: dict[Context, None] = {}
        for name in names:
            contexts[name.context] = None
            for letters, parts, cost in _ways(name.text, name.context):
                if parts:
                    self._spelled.setdefault(letters[0], []).append((name, parts, cost))
                else:
                    self._initials.setdefault(letters, []).append((name, cost))
        self._before = [(context, *before) for context in contexts for before in _before(context)]

    def find(self, text: str) -> Iterator[Spelling]:
        """The names that a Latin text may stand for."""
        for name, cost in self._initials.get(text, ()):
            yield from _by_initials(name, text, text, cost)
        for context, letters, word in self._before:
            rest = text.removeprefix(letters)
            if rest == text or len(rest) < 2:
                continue
            for name, cost in self._initials.get(rest, ()):
                if name.context == context and not name.meaning.own and _may_precede(word, name):
                    yield from _by_initials(name, rest, text, cost + _WITH_MORE)
        for name, parts, cost in self._spelled.get(text[0], ()):
            if len(text) > len(parts) and text.endswith((parts[-1], parts[-1][0])) and spelled(text, parts):
                yield Spelling(name, _FULL - name.cost - cost, "拼音", "pinyin")

    def of(self, text: str) -> Iterator[tuple[str, float]]:
        """The initials that may stand for a Chinese text, with the confidence."""
        for letters, parts, cost in _ways(text, NOWHERE):
            if not parts and len(letters) > 1:
                yield letters, _sure(letters) - cost


@lru_cache(maxsize=16384)
def _ways(text: str, context: Context) -> tuple[tuple[str, tuple[str, ...], float], ...]:
    """Initials, the syllables that they are of, and what it costs that these are other words than the text's.

    Each initials come once without syllables: that is how they stand for themselves.
    """
    found: dict[tuple[str, tuple[str, ...]], float] = {}
    for number, (variant, shorter) in enumerate(variants(text, context)):
        parts = tuple(part for word in variant for part in syllables(word))
        letters = "".join(part[0] for part in parts)
        cost = (_IN_OTHER_WORDS if number else 0.0) + _SHORTER * shorter
        found.setdefault((letters, ()), cost)
        if len(parts) > 1:
            found.setdefault((letters, parts), cost)
    return tuple((letters, parts, cost) for (letters, parts), cost in found.items())


def _by_initials(name: Name, letters: str, text: str, cost: float) -> Iterator[Spelling]:
    if text.startswith(_ASKS) and len(text) > 3 and not _answers(name):
        return
    rare = _RARE.get(len(letters), _RARE_MANY) * name.rare
    confidence = _sure(text) - name.cost - cost - rare - (_RIVAL if text in _rivals() else 0.0)
    if confidence > 0:
        yield Spelling(name, confidence, "拼音首字母", "pinyin initials")


def _sure(letters: Sequence[str]) -> float:
    return _INITIALS.get(len(letters), _MANY) if len(letters) > 1 else 0.0


def _may_precede(word: str, name: Name) -> bool:
    """Whether a word before a name tells nothing."""
    if word in lexicon().kinds["question"]:
        return _answers(name)
    if name.meaning.vague:
        return False
    return word in silent((word, *name.meaning.words), name.context)


def _answers(name: Name) -> bool:
    """Whether a name is that of a yes or no."""
    return name.meaning.question or name.source.type in ("boolean", "enum")


@cache
def _rivals() -> frozenset[str]:
    return frozenset(initials((word,)) for word in rivals())


@cache
def _before(context: Context) -> tuple[tuple[str, str], ...]:
    """The initials of each word that may stand before a name and tell nothing, with the word for its class."""
    kinds = lexicon().kinds
    classes = context.business | context.subjects | kinds["plain"] | kinds["maker"] | kinds["hope"] | kinds["question"]
    spoken = {(initials((word,)), of) for of in classes for word in lexicon().members.get(of, (of,)) if len(word) > 1}
    return tuple(sorted(spoken))
