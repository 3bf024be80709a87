"""The lexical half of retrieval: BM25 over words of any script, stemmed in the collection's language."""

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import bm25s
import numpy as np
import regex
import Stemmer
from bm25s import stopwords

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG, and tells of every index

WORD = regex.compile(
    r"(?V1)(?P<unspaced>[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々]+)"
    r"|[[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々]]+"
)
"""Marks belong to words:
Devanagari writes its vowels with them. Scripts without spaces are cut into pairs."""

STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian", "no": "norwegian",
    "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish",
}  # fmt: skip
"""Snowball's algorithms by language: https://snowballstem.org/algorithms/"""

FUNCTION_WORDS = {
    "cs": "a je se na že to jsou nebo které také jako byl pro ale není",
    "da": "og er det ikke til af på som med den også blev hvis fra eller",
    "de": "der die und das ist nicht mit ein eine zu auf für von den auch",
    "en": "the and of to is in that it for was with as are not this",
    "es": "el la los de que y en es por con una para las del se",
    "fi": "ja on ei se että oli ovat kun myös mutta tai kuin joka sitä niin",
    "fr": "le la les des et est une que dans pour qui pas du au sur",
    "hu": "a az és hogy nem is egy volt van meg de csak ha vagy még",
    "it": "il di che la è per un non con sono una della del le gli",
    "nl": "de het een en van is niet dat op te zijn met voor ook aan",
    "no": "og er det ikke til av på som med den også ble hvis fra eller",
    "pl": "i w na się nie jest że z do to od jak oraz przez są",
    "pt": "o a os de que e não em um uma para com do da é",
    "ro": "și de la în este nu cu pe un o care pentru din sunt mai",
    "ru": "не на что по это как но он из за от для был также так",
    "sv": "och är det inte till av på som med den också om från eller ett",
    "tr": "ve bir bu da için ile de daha çok olarak gibi en var ne olan",
}
"""The commonest words of languages that share a script; enough to tell which one a page is in."""
LONG_LISTS = {
    "da": stopwords.STOPWORDS_DANISH, "de": stopwords.STOPWORDS_GERMAN, "en": stopwords.STOPWORDS_EN_PLUS,
    "es": stopwords.STOPWORDS_SPANISH, "fr": stopwords.STOPWORDS_FRENCH, "it": stopwords.STOPWORDS_ITALIAN,
    "nl": stopwords.STOPWORDS_DUTCH, "no": stopwords.STOPWORDS_NORWEGIAN, "pt": stopwords.STOPWORDS_PORTUGUESE,
    "ru": stopwords.STOPWORDS_RUSSIAN, "sv": stopwords.STOPWORDS_SWEDISH, "tr": stopwords.STOPWORDS_TURKISH,
}  # fmt: skip
IDLE = {
    language: frozenset(word.casefold() for word in (*LONG_LISTS.get(language, ()), *common.split()))
    for language, common in FUNCTION_WORDS.items()
}
"""Words that say nothing of what a question is about."""
CONTINUING = {
    "cs": "a ale také", "da": "og men også", "de": "und aber auch oder", "en": "and but also or what_about how_about",
    "es": "y pero también o", "fi": "ja mutta entä", "fr": "et mais aussi ou", "hu": "és de", "it": "e ma anche o",
    "nl": "en maar ook of", "no": "og men også", "pl": "a i ale też", "pt": "e mas também ou", "ro": "și dar iar",
    "ru": "и но также", "sv": "och men också", "tr": "ve ama peki",
}  # fmt: skip
"""Words that a question begins with when it goes on from the one before."""
REFERRING = {
    "da": "han hun ham hende de dem", "de": "er ihn ihm ihnen", "en": "he him his she her they them their theirs",
    "es": "él ella ellos ellas", "fr": "il elle ils elles lui eux", "it": "lui lei loro", "nl": "hij hem zij hen",
    "no": "han hun ham henne dem", "pt": "ele ela eles elas", "sv": "han hon honom henne dem",
}  # fmt: skip
"""Words for somebody or something that was named before, and seldom in the same sentence."""
CERTAIN = 0.12
"""Share of a text's words that are among its language's fifteen commonest: running prose has 0.2 to 0.35."""


def words(text: str) -> list[str]:
    """A text's words, folded; scripts without spaces as pairs of characters."""
    found: list[str] = []
    for match in WORD.finditer(unicodedata.normalize("NFKC", text).casefold()):
        word = match.group()
        if match.group("unspaced") and len(word) > 1:
            found.extend(word[place : place + 2] for place in range(len(word) - 1))
        else:
            found.append(word)
    return found


def stems(found: list[str], language: str) -> list[str]:
    """Words, stemmed where the language has a stemmer."""
    algorithm = STEMMERS.get(primary(language))
    # A stemmer belongs to one thread, and making one costs less than keeping one a thread.
    return Stemmer.Stemmer(algorithm, 0).stemWords(found) if algorithm else found


def content(text: str, language: str) -> list[str]:
    """The words of a question that say what it is about."""
    idle = IDLE.get(primary(language), frozenset())
    return [word for word in words(text) if word not in idle]


def continues(text: str, language: str) -> bool:
    """Whether a question begins with a word that ties it to what was said before."""
    first, ties = words(text)[:2], CONTINUING.get(primary(language), "").split()
    return bool(first) and (first[0] in ties or "_".join(first) in ties)


def refers(text: str, language: str) -> bool:
    """Whether a question speaks of somebody by a pronoun."""
    return not set(REFERRING.get(primary(language), "").split()).isdisjoint(words(text))


def primary(language: str) -> str:
    """`de` of `de-CH`."""
    return language.partition("-")[0].lower()


def language_of(texts: Iterable[str]) -> str:
    """The language that most of the texts' words are in; empty where none is sure enough."""
    counted: Counter[str] = Counter()
    for text in texts:
        counted.update(words(text))
    total = sum(counted.values())
    shares = {
        language: sum(counted[word] for word in common.split()) / total if total else 0.0
        for language, common in FUNCTION_WORDS.items()
    }
    best = max(shares, key=lambda language: shares[language])
    return best if shares[best] >= CERTAIN else ""


class Lexical:
    """An index over texts, in their order. Read-only once made, so any thread may search."""

    def __init__(self, index: bm25s.BM25 | None, language: str) -> None:
        self._index = index
        self._language = language

    def search(self, question: str, count: int) -> list[tuple[int, float]]:
        """Places of the texts that share words with the question, best first, with their BM25 scores."""
        if self._index is None:
            return []
        known = self._index.get_tokens_ids(stems(content(question, self._language), self._language))
        if not known:
            return []
        scores = self._index.get_scores_from_ids(known)
        hits = np.flatnonzero(scores > 0.0)
        if len(hits) > count:
            hits = np.sort(hits[np.argpartition(-scores[hits], count - 1)[:count]])
        best = hits[np.argsort(-scores[hits], kind="stable")]
        return [(int(place), float(scores[place])) for place in best]


def build(texts: Sequence[str], language: str, target: Path) -> Lexical:
    """Index the texts and write the index to a directory."""
    target.mkdir(parents=True)
    found = [stems(words(text), language) for text in texts]
    if not any(found):
        return Lexical(None, language)
    index = bm25s.BM25(method="lucene")
    index.index(found, show_progress=False)
    index.save(target, show_progress=False)
    return Lexical(index, language)


def load(target: Path, language: str) -> Lexical:
    """The index in a directory."""
    if not (target / "params.index.json").exists():
        return Lexical(None, language)
    return Lexical(bm25s.BM25.load(target, show_progress=False), language)
