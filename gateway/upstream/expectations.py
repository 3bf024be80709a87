"""What kind of answer a question expects (a time, a price, a reason), and whether a sentence holds one.

A small lexicon for English, German, Spanish and French; in others nothing in particular is expected.
"""

from functools import lru_cache
from typing import Literal, TypeAlias

import regex

Kind: TypeAlias = Literal["time", "duration", "money", "number", "reason", "person"]

_NUMBER = (
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|"
    r"seventy|eighty|ninety|hundred|thousand|million|dozen|half|once|twice|"
    r"(?:ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|hundert|tausend|zwanzig|dreißig|\w{3,6}zig)"
    r"(?:und\w+zig|einhalb|zehn|hundert\w*|tausend\w*|mal)|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|"
    r"zwölf|\w{3,6}zehn|zwanzig|dreißig|\w{3,6}zig|hundert|tausend|million|halbe?\w?|anderthalb|dutzend|"
    r"dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|veinte|treinta|cien|ciento|mil|"
    r"deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|quinze|vingt|trente|cent|mille)\b"
)
_UNIT = (
    r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|nights?|"
    r"sekunden?|minuten?|(?:viertel|halbe)?\s?stunden?|tage?n?|wochen?|monate?n?|jahre?n?|nächte?n?|"
    r"segundos?|minutos?|horas?|días?|semanas?|mes(?:es)?|años?|"
    r"secondes?|heures?|jours?|semaines?|mois|ans?|années?)"
)
_MONEY = r"[€$£¥]|\b(?:euros?|cents?|dollars?|pounds?|pence|kronen|franken|libras?|livres|free|kostenlos|kostenfrei|gratis|gratuite?s?|kostet|kosten|costs?|cuesta|coûte)\b"  # noqa: E501  (a pattern)
_DATE = (
    r"\b\d{1,2}[:.h]\d{2}\b|\b\d{1,2}\s?(?:am|pm|a\.m\.|p\.m\.|o'clock|uhr|heures?|horas?)\b|\b1[0-9]{3}\b|\b20\d\d\b|"
    r"\b(?:noon|midnight|morning|evening|night|daily|dawn|dusk|sunset|sunrise|uhr|mittags?|mitternacht|morgens?|abends?|"
    r"nachts|täglich|frühling|sommer|herbst|winter|spring|summer|autumn|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:mon|diens|donners|frei|sams|sonn)tags?|mittwochs?|"
    r"lunes|martes|miércoles|jueves|viernes|sábados?|domingos?|mediodía|medianoche|"
    r"lundis?|mardis?|mercredis?|jeudis?|vendredis?|samedis?|dimanches?|midi|minuit|"
    r"january|february|march|april|may|june|july|august|september|october|november|december|"
    r"januar|februar|märz|mai|juni|juli|oktober|dezember|"
    r"enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|"
    r"janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre)\b"
)
_REASON = (
    r"\b(?:because|since|so that|due to|in order|reason|therefore|thanks to|weil|denn|wegen|damit|deshalb|"
    r"daher|darum|dank|nämlich|sonst|grund|um \w+ zu|porque|debido|por eso|para que|"
    r"parce|car|grâce|afin|pour que)\b"
)
_PERSON = (
    r"(?<=\p{Ll}[,;]?\s|^)\p{Lu}[\p{L}\p{M}'\u2019-]+ (?:(?:von|van|de|du|di|of|the|zu|der) )?"
    r"\p{Lu}[\p{L}\p{M}'\u2019-]+"
)

_ASKS: tuple[tuple[Kind, str], ...] = (
    (
        "money",
        r"\bhow much (?:\w+ ){0,3}(?:cost|pay|charge)|\b(?:cost|price|fee|fare|pay|charge|expensive|cheap)",
    ),
    ("money", r"\b(?:kost|preis|bezahl|zahl(?:e|en|t|st)\b|teuer|billig|gebühr|aufpreis|zuschlag)"),
    ("money", r"\b(?:cuesta|precio|cobra|pagar|caro|tarifa|coûte|prix|payer|tarif|cher\b)"),
    ("duration", r"\bhow (?:long|many (?:hours|minutes|days|weeks|nights|years))\b"),
    ("duration", r"\bwie (?:lange?|viele (?:stunden|minuten|tage|wochen|nächte|jahre))\b"),
    ("duration", r"\bcuánto tiempo|\bcombien de temps"),
    ("time", r"\bwhen\b|\bwhat (?:time|year|date|day|month)|\bhow (?:early|late)\b"),
    (
        "time",
        r"\bwann\b|\bwelche[mrsn]? (?:jahr|tag|monat|datum)|\bwie (?:früh|spät)|\bwie ?viel uhr|\buhrzeit",
    ),
    ("time", r"\bcuándo\b|\bqué (?:hora|día|año)|\bquand\b|\bquelle (?:heure|année|date)|\bquel jour"),
    (
        "number",
        r"\bhow (?:many|much|far|tall|high|deep|old|big|large|heavy|fast|wide|often|cold|warm|hot|loud)\b",
    ),
    ("number", r"\bwie ?viele?|\bwie (?:hoch|weit|groß|schwer|alt|tief|breit|schnell|oft|kalt|warm|steil)\b"),
    ("number", r"\bcuánt[oa]s?\b|\bqué (?:altura|distancia|edad)"),
    ("number", r"\bcombien\b|\bquelle (?:hauteur|distance|taille)"),
    ("reason", r"\bwhy\b|\bhow come\b|\bwarum\b|\bwieso\b|\bweshalb\b|\bwozu\b|\bpor qué\b|\bpourquoi\b"),
    ("person", r"\bwho(?:se|m)?\b|\bwer\b|\bwem\b|\bwen\b|\bwessen\b|\bquién(?:es)?\b|\b(?:à |de |^)?qui\b"),
)
_HOLDS: dict[Kind, str] = {
    "time": _DATE,
    "duration": rf"(?:{_NUMBER})\D{{0,12}}{_UNIT}\b|\b{_UNIT}\b",
    "money": _MONEY,
    "number": _NUMBER,
    "reason": _REASON,
    "person": _PERSON,
}
_LANGUAGES = frozenset({"en", "de", "es", "fr"})


@lru_cache(maxsize=256)
def expected(question: str, language: str) -> frozenset[Kind]:
    """The kinds of answer that the question asks for; mostly none or one."""
    if language not in _LANGUAGES:
        return frozenset()
    asked = question.lower()
    return frozenset(kind for kind, pattern in _asks() if pattern.search(asked))


@lru_cache(maxsize=8192)
def holds(sentence: str, kind: Kind) -> bool:
    """Whether a sentence holds this kind of answer."""
    return _pattern(kind).search(sentence if kind == "person" else sentence.lower()) is not None


@lru_cache(maxsize=1)
def _asks() -> tuple[tuple[Kind, "regex.Pattern[str]"], ...]:
    return tuple((kind, regex.compile(pattern)) for kind, pattern in _ASKS)


@lru_cache(maxsize=8)
def _pattern(kind: Kind) -> "regex.Pattern[str]":
    return regex.compile(_HOLDS[kind])
