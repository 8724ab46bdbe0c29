"""Names as people spell them in Latin letters: initials (``sqr``), in full (``shenqingren``), or a bit of both."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from pypinyin import lazy_pinyin

__all__ = ["initials", "spelled", "syllables"]

#: Characters with several readings, as they are read in the names of fields.
_READINGS: Final = {"行": "hang", "率": "lv", "调": "diao", "重": "zhong", "长": "chang", "单": "dan"}


@lru_cache(maxsize=8192)
def syllables(word: str) -> tuple[str, ...]:
    """The syllables of a word, without tones; letters and digits stay as they are."""
    found = lazy_pinyin(word)
    if len(found) == len(word):
        found = [_READINGS.get(char, syllable) for char, syllable in zip(word, found, strict=True)]
    return tuple(filter(None, found))


def initials(words: Sequence[str]) -> str:
    """The first letter of every syllable: 申请人 → ``sqr``."""
    return "".join(syllable[0] for word in words for syllable in syllables(word))


def spelled(text: str, parts: Sequence[str]) -> bool:
    """Whether a text spells all syllables, each by its first letter or in full: ``kehumc`` for 客户名称."""
    ends = {0}
    for part in parts:
        ends = {end + size for end in ends for size in {1, len(part)} if text.startswith(part[:size], end)}
        if not ends:
            return False
    return len(text) in ends
