"""What a text is about: its words without the ones that only hold it together, stemmed, in any script."""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import regex
import Stemmer
from bm25s import stopwords

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]{2,}")
"""Scripts that write no space between words: their runs are cut into pairs of characters."""

_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_FUNCTION_WORDS = {
    "da": stopwords.STOPWORDS_DANISH, "de": stopwords.STOPWORDS_GERMAN, "en": stopwords.STOPWORDS_EN_PLUS,
    "es": stopwords.STOPWORDS_SPANISH, "fr": stopwords.STOPWORDS_FRENCH, "it": stopwords.STOPWORDS_ITALIAN,
    "nb": stopwords.STOPWORDS_NORWEGIAN, "nl": stopwords.STOPWORDS_DUTCH, "nn": stopwords.STOPWORDS_NORWEGIAN,
    "no": stopwords.STOPWORDS_NORWEGIAN, "pt": stopwords.STOPWORDS_PORTUGUESE,
    "ru": stopwords.STOPWORDS_RUSSIAN, "sv": stopwords.STOPWORDS_SWEDISH, "tr": stopwords.STOPWORDS_TURKISH,
}  # fmt: skip
_ASKING = {
    "en": "can could would may might must shall please tell know want like need let many much long often far "
    "us really actually okay yes hello hi hey thanks also ever still even get got take say said "
    "thing something anything someone anyone way one",
    "de": "denn eigentlich mal bitte gern gerne sagen sag wissen weiß möchte möchten wollen darf dürfen "
    "kriegen kriege krieg bekomme bekommen gibt gibts geht gehts viele lange wann wer wem wen wieso "
    "warum weshalb welcher welches wohin woher ja nein hallo danke überhaupt einfach schon mehr etwa so beim "
    "wäre hätte könnte könnten müssen müsste ganz dort dabei dafür davon darauf daran irgendwo irgendwas jemand",
    "es": "puedo puede pueden podría quiero quisiera saber decir dime favor cuánto cuánta cuántos cuántas "
    "cuándo dónde cómo cuál cuáles quién gracias hola hay tengo tiene hacer ir",
    "fr": "puis peut peux peuvent pourrais voudrais savoir dire dis plaît combien quand où comment "
    "quel quelle quels quelles pourquoi merci bonjour faire faut donc alors bien cela ça",
}
"""What a spoken question is wrapped in, beside the function words."""


def language_of(tag: str) -> str:
    """The language of a BCP 47 tag: `de` of `de-AT`."""
    return tag.partition("-")[0].lower()


def tokens(text: str) -> list[str]:
    """Lower-case words; pairs of characters where a script has no spaces."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _UNSPACED.fullmatch(word):
            found += map("".join, pairwise(word))
        else:
            found.append(word)
    return found


def content(text: str, language: str) -> list[str]:
    """The stems of the words that carry meaning, in order; all words' stems where none does."""
    empty = _empty_words(language)
    words = tokens(text)
    bearing = [word for word in words if word not in empty and (len(word) > 1 or not word.isascii() or word.isdigit())]
    return stems(language)(bearing)


@lru_cache(maxsize=64)
def stems(language: str) -> Callable[[list[str]], list[str]]:
    """Stem words of a language; words of a language without a stemmer stay as they are."""
    algorithm = _STEMMERS.get(language)
    if algorithm is None:
        return list
    stem: Callable[[list[str]], list[str]] = Stemmer.Stemmer(algorithm).stemWords
    return stem


@lru_cache(maxsize=64)
def _empty_words(language: str) -> frozenset[str]:
    return frozenset(_FUNCTION_WORDS.get(language, ())) | frozenset(_ASKING.get(language, "").split())


def likeness(asked: str, said: str) -> float:
    """How far two stems mean the same by their letters: 1 if equal, less for compounds and inflections.

    German and its relatives write compounds as one word ("Hundekarte"), and stemmers leave irregular endings.
    """
    if asked == said:
        return 1.0
    shorter, longer = sorted((asked, said), key=len)
    if len(shorter) < 4 or shorter.isdecimal():
        return 0.0
    if longer.startswith(shorter) or longer.endswith(shorter):
        return 0.75 if len(shorter) * 3 >= len(longer) else 0.5
    if len(shorter) >= 5 and shorter in longer:
        return 0.5
    return 0.6 if len(shorter) >= 6 and shorter[: len(shorter) - 1] == longer[: len(shorter) - 1] else 0.0
