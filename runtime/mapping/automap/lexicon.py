"""The words that names of fields are made of: classes of the same meaning, and kinds. All of it is data."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["Lexicon", "is_latin", "lexicon", "lines", "normal", "rivals"]

#: A longer label is not a name; what follows is cut off before anything else is done with it.
_LONGEST: Final = 64
_ASIDE: Final = re.compile(r"[(（\[【<《].*?[)）\]】>》]")
_PROMPT: Final = re.compile(r"^(请填写|请选择|填写|选择)(?=.{2})")
_LATIN: Final = re.compile(r"[a-z][a-z0-9]*")


def normal(text: str) -> str:
    """One spelling of a label: width, case, spaces, punctuation and asides in brackets make no difference."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    plain = _ASIDE.sub("", folded) or folded
    letters = "".join(char for char in plain if char.isalnum())
    return _PROMPT.sub("", letters)


def is_latin(text: str) -> bool:
    """Whether a normal form is letters of ASCII and perhaps digits: a column's name rather than a label."""
    return bool(_LATIN.fullmatch(text))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All words, as ``data/synonyms.txt`` and ``data/modifiers.txt`` list them."""

    #: Word → the word that stands for its class
    stands_for: dict[str, str]
    #: Word → the words of its class that letters may stand for
    members: dict[str, tuple[str, ...]]
    #: Kind → words that stand for their classes
    kinds: dict[str, frozenset[str]]
    #: Characters of the longest word
    longest: int

    def cut(self, text: str) -> tuple[str, ...]:
        """A normal form as words: the fewest unknown characters, then the fewest words, then the longest words first.

        Words are in the text's own spelling; what is not known is cut into single characters.
        """
        #: Best way to cut the text before each position: (unknown characters, words), the start of the last word.
        best: list[tuple[tuple[int, int], int]] = [((0, 0), 0)]
        for end in range(1, len(text) + 1):
            (unknown, count), _ = best[end - 1]
            single = text[end - 1] in self.stands_for
            choice = ((unknown + (0 if single else 1), count + 1), 1 - end)
            for start in range(max(0, end - self.longest), end - 1):
                if text[start:end] in self.stands_for:
                    (unknown, count), _ = best[start]
                    choice = min(choice, ((unknown, count + 1), -start))
            best.append((choice[0], -choice[1]))
        found, end = [], len(text)
        while end:
            start = best[end][1]
            found.append(text[start:end])
            end = start
        return tuple(reversed(found))


@cache
def lexicon() -> Lexicon:
    """The words; read once."""
    stands_for: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    for line in lines("synonyms.txt"):
        usual, rare = (_words(cell) for cell in f"{line}|".split("|")[:2])
        for word in (*usual, *rare):
            stands_for.setdefault(word, usual[0])
            members.setdefault(word, usual)
    kinds: dict[str, frozenset[str]] = {}
    for line in lines("modifiers.txt"):
        kind, *listed = line.split()
        kinds[kind] = frozenset(stands_for.setdefault(word, word) for word in listed)
    return Lexicon(stands_for, members, kinds, max(map(len, stands_for)))


def _words(listed: str) -> tuple[str, ...]:
    return tuple(timed for word in listed.split() for timed in _timed(normal(word)))


def _timed(word: str) -> tuple[str, ...]:
    """Where forms say 日期 they say 时间 just as well."""
    day, time = "日期", "时间"
    return (word, word.removesuffix(day) + time) if word.endswith(day) and word != day else (word,)


@cache
def rivals() -> frozenset[str]:
    """Words that are common on forms and that B1 has no field for."""
    return frozenset(word for line in lines("rivals.txt") for word in line.split())


def lines(name: str) -> list[str]:
    """The lines of a file of data that are not comments."""
    text = files(__package__).joinpath("data", name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
