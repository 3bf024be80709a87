"""What is said in place of what cannot be heard, in the languages of `gateway/chat/lines.py`; English elsewhere."""
# ruff: noqa: RUF001  # Chinese and Japanese marks look like Latin ones, and are meant

from typing import NamedTuple


class Phrases(NamedTuple):
    """What one language needs."""

    code: str
    """In place of a sample of code, once an answer."""
    more: str
    """`{n}` items of a list that are left out."""
    rows: str
    """`{n}` rows of a table that are left out, and an offer."""
    onward: str
    """Behind an answer that was cut."""
    dot: str
    """The dot in an address."""
    final: str
    """Before the last item of a list; with its comma and blanks."""
    ordinals: tuple[str, ...]
    """Before the items of a numbered list, each a sentence; with their commas and blanks."""
    comma: str = ", "
    stop: str = ". "


PHRASES = {
    "en": Phrases(
        "I have a code sample, but it is better read than heard.",
        "And {n} more.",
        "And {n} more. Shall I go on?",
        "There is more to say. Shall I go on?",
        "dot",
        ", and ",
        ("First, ", "Second, ", "Third, ", "Fourth, ", "Fifth, ", "Sixth, ", "Seventh, ", "Eighth, "),
    ),
    "de": Phrases(
        "Ich habe ein Codebeispiel, aber das liest man besser, als dass man es hört.",
        "Und {n} weitere.",
        "Und {n} weitere. Soll ich fortfahren?",
        "Dazu gibt es noch mehr zu sagen. Soll ich fortfahren?",
        "Punkt",
        " und ",
        ("Erstens: ", "Zweitens: ", "Drittens: ", "Viertens: ", "Fünftens: ", "Sechstens: ", "Siebtens: ", "Achtens: "),
    ),
    "es": Phrases(
        "Tengo un ejemplo de código, pero es mejor leerlo que escucharlo.",
        "Y {n} más.",
        "Y {n} más. ¿Sigo?",
        "Hay más que contar. ¿Sigo?",
        "punto",
        " y ",
        ("Primero, ", "Segundo, ", "Tercero, ", "Cuarto, ", "Quinto, ", "Sexto, ", "Séptimo, ", "Octavo, "),
    ),
    "fr": Phrases(
        "J'ai un exemple de code, mais il vaut mieux le lire que l'entendre.",
        "Et {n} de plus.",
        "Et {n} de plus. Dois-je continuer ?",
        "Il y a encore à dire. Dois-je continuer ?",
        "point",
        " et ",
        (
            "Premièrement, ",
            "Deuxièmement, ",
            "Troisièmement, ",
            "Quatrièmement, ",
            "Cinquièmement, ",
            "Sixièmement, ",
            "Septièmement, ",
            "Huitièmement, ",
        ),
    ),
    "it": Phrases(
        "Ho un esempio di codice, ma è meglio leggerlo che ascoltarlo.",
        "E altri {n}.",
        "E altri {n}. Continuo?",
        "C'è altro da dire. Continuo?",
        "punto",
        " e ",
        ("Primo: ", "Secondo: ", "Terzo: ", "Quarto: ", "Quinto: ", "Sesto: ", "Settimo: ", "Ottavo: "),
    ),
    "pt": Phrases(
        "Tenho um exemplo de código, mas é melhor ler do que ouvir.",
        "E mais {n}.",
        "E mais {n}. Posso continuar?",
        "Há mais para contar. Posso continuar?",
        "ponto",
        " e ",
        ("Primeiro, ", "Segundo, ", "Terceiro, ", "Quarto, ", "Quinto, ", "Sexto, ", "Sétimo, ", "Oitavo, "),
    ),
    "nl": Phrases(
        "Ik heb een codevoorbeeld, maar dat kunt u beter lezen dan horen.",
        "En nog {n}.",
        "En nog {n}. Zal ik doorgaan?",
        "Er is meer te vertellen. Zal ik doorgaan?",
        "punt",
        " en ",
        (
            "Ten eerste: ",
            "Ten tweede: ",
            "Ten derde: ",
            "Ten vierde: ",
            "Ten vijfde: ",
            "Ten zesde: ",
            "Ten zevende: ",
            "Ten achtste: ",
        ),
    ),
    "pl": Phrases(
        "Mam przykład kodu, ale lepiej go przeczytać niż usłyszeć.",
        "I jeszcze {n}.",
        "I jeszcze {n}. Czy mam mówić dalej?",
        "Jest jeszcze coś do powiedzenia. Czy mam mówić dalej?",
        "kropka",
        " i ",
        (
            "Po pierwsze, ",
            "Po drugie, ",
            "Po trzecie, ",
            "Po czwarte, ",
            "Po piąte, ",
            "Po szóste, ",
            "Po siódme, ",
            "Po ósme, ",
        ),
    ),
    "sv": Phrases(
        "Jag har ett kodexempel, men det är bättre att läsa än att höra.",
        "Och {n} till.",
        "Och {n} till. Ska jag fortsätta?",
        "Det finns mer att säga. Ska jag fortsätta?",
        "punkt",
        " och ",
        (
            "För det första: ",
            "För det andra: ",
            "För det tredje: ",
            "För det fjärde: ",
            "För det femte: ",
            "För det sjätte: ",
            "För det sjunde: ",
            "För det åttonde: ",
        ),
    ),
    "tr": Phrases(
        "Bir kod örneğim var, ama dinlemektense okumak daha iyi.",
        "Ve {n} tane daha.",
        "Ve {n} tane daha. Devam edeyim mi?",
        "Anlatacak daha çok şey var. Devam edeyim mi?",
        "nokta",
        " ve ",
        (
            "Birincisi, ",
            "İkincisi, ",
            "Üçüncüsü, ",
            "Dördüncüsü, ",
            "Beşincisi, ",
            "Altıncısı, ",
            "Yedincisi, ",
            "Sekizincisi, ",
        ),
    ),
    "ja": Phrases(
        "コードの例がありますが、聞くより読むほうがよいものです。",
        "ほかに{n}件あります。",
        "ほかに{n}件あります。続けましょうか。",
        "まだ続きがあります。続けましょうか。",
        "ドット",
        "、",
        (
            "一つ目は、",
            "二つ目は、",
            "三つ目は、",
            "四つ目は、",
            "五つ目は、",
            "六つ目は、",
            "七つ目は、",
            "八つ目は、",
        ),
        "、",
        "。",
    ),
    "zh": Phrases(
        "我有一段代码示例，不过看比听更合适。",
        "还有{n}项。",
        "还有{n}项。要我继续吗？",
        "还有更多内容。要我继续吗？",
        "点",
        "和",
        ("第一，", "第二，", "第三，", "第四，", "第五，", "第六，", "第七，", "第八，"),
        "、",
        "。",
    ),
}


def phrases_of(language: str) -> Phrases:
    """The phrases of a BCP 47 language (its first subtag counts); English for one that is not here."""
    return PHRASES.get(language.split("-", 1)[0].lower(), PHRASES["en"])
