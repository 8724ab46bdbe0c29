"""Labels as words: normal form, segmentation into words that mean the same, and what of it may be left out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice, product
from typing import Final

__all__ = ["Meaning", "acts", "is_latin", "meaning", "normal", "variants"]

#: A longer label is not a name; what follows is cut off before anything else is done with it.
_LONGEST: Final = 64
_VARIANTS: Final = 64
_ASIDE: Final = re.compile(r"[(（\[【<《].*?[)）\]】>》]")
_QUESTION: Final = re.compile(r"^(是否|请填写|请选择|填写|选择)(?=.{2})")
_LATIN: Final = re.compile(r"[a-z][a-z0-9]*")


def normal(text: str) -> str:
    """One spelling of a label: width, case, spaces, punctuation and asides in brackets make no difference."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    plain = _ASIDE.sub("", folded) or folded
    letters = "".join(char for char in plain if char.isalnum())
    return _QUESTION.sub("", letters)


def is_latin(text: str) -> bool:
    """Whether a normal form is letters of ASCII and perhaps digits: a column's name rather than a label."""
    return bool(_LATIN.fullmatch(text))


@dataclass(frozen=True, slots=True)
class Meaning:
    """A label taken apart; two labels with the same ``words`` are the same in other words."""

    #: Each word as the one that stands for its class.
    words: tuple[str, ...]
    #: The words without ``acts``, ``ending`` and those that say nothing.
    head: tuple[str, ...]
    acts: frozenset[str]
    ending: str

    @property
    def vague(self) -> bool:
        """Whether the head alone says too little to be compared."""
        return len(self.head) == 1 and self.head[0] in _lexicon().vague

    @property
    def without_subject(self) -> tuple[str, ...]:
        """The head without whom it is about; empty when it says nothing of that, or nothing else."""
        rest = self.head[1:] if self.head[0] in _lexicon().subjects else ()
        return () if len(rest) == 1 and rest[0] in _lexicon().vague else rest


def meaning(text: str) -> Meaning:
    """What the words of a normal form mean.

    Of all ways to cut the text into known words, the one with the fewest unknown characters, then the fewest words.
    """
    lexicon = _lexicon()
    found = tuple(lexicon.stands_for.get(word, word) for word in _cut(text))
    head = tuple(word for word in found if word not in lexicon.acts and word not in lexicon.plain) or found
    ending = head[-1] if len(head) > 1 and head[-1] in lexicon.endings else ""
    return Meaning(found, head[:-1] if ending else head, frozenset(found) & lexicon.acts - set(head), ending)


def acts() -> frozenset[str]:
    """All words that may stand before a name without making it another name."""
    return _lexicon().acts | _lexicon().plain


def variants(text: str) -> Iterator[tuple[str, ...]]:
    """A normal form in other words: the text itself, then each word replaced by the words of its class.

    Words that say nothing are kept in half of them and left out in the others.
    """
    lexicon = _lexicon()
    cut = _cut(text)
    short = tuple(word for word in cut if lexicon.stands_for.get(word, word) not in lexicon.plain)
    for words in dict.fromkeys((cut, short)):
        choices = [(word, *(other for other in lexicon.members.get(word, ()) if other != word)) for word in words]
        yield from islice(product(*choices), _VARIANTS)


def _cut(text: str) -> tuple[str, ...]:
    lexicon = _lexicon()
    #: Best way to cut the text before each position: (unknown characters, words), the start of the last word.
    best: list[tuple[tuple[int, int], int]] = [((0, 0), 0)]
    for end in range(1, len(text) + 1):
        (unknown, count), _ = best[end - 1]
        single = text[end - 1] in lexicon.stands_for
        choice = ((unknown + (0 if single else 1), count + 1), end - 1)
        for start in range(max(0, end - lexicon.longest), end - 1):
            if text[start:end] in lexicon.stands_for:
                (unknown, count), _ = best[start]
                choice = min(choice, ((unknown, count + 1), start))
        best.append(choice)
    found, end = [], len(text)
    while end:
        start = best[end][1]
        found.append(text[start:end])
        end = start
    return tuple(reversed(found))


@dataclass(frozen=True, slots=True)
class _Lexicon:
    #: Word → the word that stands for its class
    stands_for: dict[str, str]
    #: Word → all words of its class
    members: dict[str, tuple[str, ...]]
    acts: frozenset[str]
    plain: frozenset[str]
    subjects: frozenset[str]
    endings: frozenset[str]
    vague: frozenset[str]
    #: Characters of the longest word
    longest: int


@cache
def _lexicon() -> _Lexicon:
    stands_for: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    for line in _lines("synonyms.txt"):
        group = tuple(normal(word) for word in line.split())
        for word in group:
            stands_for.setdefault(word, group[0])
            members.setdefault(word, group)
    kinds: dict[str, set[str]] = {"act": set(), "plain": set(), "subject": set(), "ending": set(), "vague": set()}
    for line in _lines("modifiers.txt"):
        kind, *listed = line.split()
        kinds[kind].update(stands_for.setdefault(word, word) for word in listed)
    return _Lexicon(
        stands_for=stands_for,
        members=members,
        acts=frozenset(kinds["act"]),
        plain=frozenset(kinds["plain"]),
        subjects=frozenset(kinds["subject"]),
        endings=frozenset(kinds["ending"]),
        vague=frozenset(kinds["vague"]),
        longest=max(map(len, stands_for)),
    )


def _lines(name: str) -> list[str]:
    text = files(__package__).joinpath("data", name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
