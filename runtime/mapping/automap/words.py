"""Labels as words: what they mean, and what of it may be left out in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice, product
from typing import Final

from runtime.mapping.automap.contexts import NOWHERE, Context
from runtime.mapping.automap.lexicon import lexicon

__all__ = ["BUSINESS", "DOCUMENT", "Meaning", "meaning", "silent", "variants"]

_VARIANTS: Final = 160
#: What stands for a context's own document, its business, and whom it is about.
DOCUMENT: Final = "·单据"
BUSINESS: Final = "·业务"
_SUBJECT: Final = "·主体"
#: 订单编号 is the 单号 where the order is the document itself.
_NUMBER: Final = "代码"
_DOCUMENT_NUMBER: Final = "单号"
_DAY: Final = "日期"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A label taken apart; two labels with the same ``words`` are the same in other words."""

    #: Each word as the one that stands for its class.
    words: tuple[str, ...]
    #: The words that say something, with one sign for whatever goes without saying in the context.
    said: tuple[str, ...]
    #: ``said`` without those signs and ``ending``.
    head: tuple[str, ...]
    #: ``head`` without the business that does not go without saying.
    loose: tuple[str, ...]
    ending: str
    #: Whether the answer is yes or no.
    question: bool

    @property
    def own(self) -> bool:
        """Whether it names its own document, business or subject."""
        return any(word in (DOCUMENT, BUSINESS, _SUBJECT) for word in self.said)

    @property
    def vague(self) -> bool:
        """Whether the head alone says too little to be compared."""
        return len(self.head) == 1 and self.head[0] in lexicon().kinds["vague"]

    @property
    def bare(self) -> bool:
        """Whether there is nothing but an ending: 编号, 名称."""
        return len(self.said) == 1 and self.said[0] in lexicon().kinds["ending"]


@lru_cache(maxsize=16384)
def meaning(text: str, context: Context = NOWHERE) -> Meaning:
    """What the words of a normal form mean in a context."""
    kinds = lexicon().kinds
    words = _numbered(_classes(lexicon().cut(text)), context)
    question = len(words) > 1 and words[0] in kinds["question"]
    words = words[1:] if question else words
    signs = silent(words, context)
    kept = tuple(word for word in words if signs.get(word) != "") or words
    said = (*(signs.get(word, word) for word in kept[:-1]), kept[-1])
    head = tuple(word for word in said if word not in (DOCUMENT, BUSINESS, _SUBJECT))
    loose = (*(word for word in head[:-1] if word not in kinds["act"] | kinds["document"]), head[-1])
    ending = said[-1] if len(said) > 1 and said[-1] in kinds["ending"] else ""
    if ending and len(head) == 1:
        head = loose = tuple(word for word in kept[:-1] if signs.get(word) == said[-2])[-1:]
    elif ending:
        head, loose = head[:-1], loose[:-1] or loose
    return Meaning(words, said, head, loose, ending, question)


def silent(words: Sequence[str], context: Context) -> dict[str, str]:
    """What goes without saying of these words, with the sign that stands for it; none for what says nothing at all.

    Business tells nothing before what is counted or dated; before people and places it tells which ones they are. The
    subject tells nothing before what it is or has, but 供应商单号 is the number of another document. How a document
    came about tells nothing before a day, nor does how sure the day of something is; 预计日期 alone is nobody's.
    """
    kinds = lexicon().kinds
    found = dict.fromkeys(kinds["plain"], "")
    if words[-1].endswith(_DAY):
        found |= dict.fromkeys(kinds["maker"] if words[-1] == _DAY else kinds["maker"] | kinds["hope"], "")
    if kinds["who"].isdisjoint(words):
        found |= {word: DOCUMENT if word in kinds["document"] else BUSINESS for word in context.business}
    if (kinds["thing"] | kinds["document"]).isdisjoint(words[1:]):
        found |= dict.fromkeys(context.subjects, _SUBJECT)
    return found


def variants(text: str, context: Context = NOWHERE) -> Iterator[tuple[tuple[str, ...], int]]:
    """A normal form in other words, with the number of words that were left out or cut down to a character.

    The text itself comes first, then each word replaced by the words of its class; then the same without what goes
    without saying, unless too little would be left.
    """
    cut = lexicon().cut(text)
    classes = [lexicon().stands_for.get(word, word) for word in cut]
    signs = {**silent(classes, context), **dict.fromkeys(lexicon().kinds["question"], "")}
    kept = [word for word, of in zip(cut[:-1], classes[:-1], strict=True) if of not in signs]
    short = (*kept, cut[-1])
    little = not kept and classes[-1] in lexicon().kinds["vague"] | lexicon().kinds["ending"]
    for words in (cut,) if short == cut or little else (cut, short):
        choices = [_spoken(word, words[-1], context) for word in words]
        for found in islice(product(*choices), _VARIANTS):
            cut_down = sum(len(new) == 1 < len(old) for new, old in zip(found, words, strict=True))
            yield found, len(cut) - len(words) + cut_down


def _spoken(word: str, last: str, context: Context) -> tuple[str, ...]:
    """A word, then the others that mean the same before ``last`` in a context: 订单状态 for 单据状态."""
    kinds, of = lexicon().kinds, lexicon().stands_for.get(word, word)
    classes = [of]
    if of in context.business & kinds["document"] and last in kinds["vague"]:
        classes += sorted(context.business - {of} if last == _DAY else context.business & kinds["document"] - {of})
    others = (other for found in classes for other in lexicon().members.get(found, (found,)))
    return tuple(dict.fromkeys((word, *others)))


def _classes(words: Sequence[str]) -> tuple[str, ...]:
    """The words that stand for these; 工程项目 says the same thing twice."""
    return tuple(word for word, _ in groupby(lexicon().stands_for.get(word, word) for word in words))


def _numbered(words: tuple[str, ...], context: Context) -> tuple[str, ...]:
    numbered = context.business & (lexicon().kinds["document"] | lexicon().kinds["act"])
    if len(words) > 1 and words[-1] == _NUMBER and words[-2] in numbered:
        return (*words[:-2], _DOCUMENT_NUMBER)
    return words
