"""What an agent says where its file does not: a greeting, an apology, "I do not know", in its language.

Lines for the ear: one or two short sentences, no figure, no mark but full stops, commas and question marks.
"""
# ruff: noqa: RUF001  # Turkish letters and Chinese marks look like Latin ones, and are meant

from typing import NamedTuple


class Lines(NamedTuple):
    """The three lines that every agent has, and two for small talk where no model answers."""

    first_message: str
    apology: str
    unknown: str
    welcome: str
    """To thanks."""
    onward: str
    """To a bare yes, no or "all right"."""


_LINES = {
    "en": Lines(
        "Hello. What would you like to know?",
        "Sorry, I lost my train of thought. Could you ask me that again?",
        "I'm afraid I don't know that. Is there something else I can tell you?",
        "You're welcome.",
        "What would you like to know?",
    ),
    "de": Lines(
        "Hallo. Was möchten Sie wissen?",
        "Entschuldigung, ich habe gerade den Faden verloren. Fragen Sie mich bitte noch einmal?",
        "Das weiß ich leider nicht. Kann ich Ihnen etwas anderes sagen?",
        "Gern geschehen.",
        "Was möchten Sie wissen?",
    ),
    "es": Lines(
        "Hola. ¿Qué le gustaría saber?",
        "Perdone, he perdido el hilo. ¿Me lo pregunta otra vez?",
        "Lo siento, eso no lo sé. ¿Puedo ayudarle con otra cosa?",
        "De nada.",
        "¿Qué le gustaría saber?",
    ),
    "fr": Lines(
        "Bonjour. Que voulez-vous savoir ?",
        "Pardon, j'ai perdu le fil. Pouvez-vous me le redemander ?",
        "Je suis désolé, je ne le sais pas. Puis-je vous dire autre chose ?",
        "Je vous en prie.",
        "Que voulez-vous savoir ?",
    ),
    "it": Lines(
        "Buongiorno. Che cosa vorrebbe sapere?",
        "Mi scusi, ho perso il filo. Me lo può chiedere di nuovo?",
        "Mi dispiace, questo non lo so. Posso dirle qualcos'altro?",
        "Prego.",
        "Che cosa vorrebbe sapere?",
    ),
    "pt": Lines(
        "Olá. O que gostaria de saber?",
        "Desculpe, perdi o fio da conversa. Pode perguntar outra vez?",
        "Lamento, isso eu não sei. Posso ajudar com outra coisa?",
        "De nada.",
        "O que gostaria de saber?",
    ),
    "nl": Lines(
        "Hallo. Wat wilt u graag weten?",
        "Sorry, ik ben even de draad kwijt. Wilt u het nog eens vragen?",
        "Dat weet ik helaas niet. Kan ik u iets anders vertellen?",
        "Graag gedaan.",
        "Wat wilt u graag weten?",
    ),
    "pl": Lines(
        "Dzień dobry. O czym mam opowiedzieć?",
        "Przepraszam, zgubił mi się wątek. Czy można prosić o powtórzenie pytania?",
        "Niestety tego nie wiem. Czy mogę pomóc w czymś innym?",
        "Proszę bardzo.",
        "O czym mam opowiedzieć?",
    ),
    "sv": Lines(
        "Hej. Vad vill du veta?",
        "Förlåt, jag tappade tråden. Kan du fråga en gång till?",
        "Det vet jag tyvärr inte. Kan jag berätta något annat?",
        "Varsågod.",
        "Vad vill du veta?",
    ),
    "tr": Lines(
        "Merhaba. Ne öğrenmek istersiniz?",
        "Özür dilerim, ipin ucunu kaçırdım. Bir daha sorar mısınız?",
        "Maalesef bunu bilmiyorum. Başka bir konuda yardımcı olabilir miyim?",
        "Rica ederim.",
        "Ne öğrenmek istersiniz?",
    ),
    "ja": Lines(
        "こんにちは。何をお知りになりたいですか。",
        "すみません、うまくお答えできませんでした。もう一度お聞きいただけますか。",
        "申し訳ありませんが、それは分かりません。ほかに何かお手伝いできますか。",
        "どういたしまして。",
        "何をお知りになりたいですか。",
    ),
    "zh": Lines(
        "您好。您想了解什么？",
        "抱歉，我刚才走神了。您能再问一遍吗？",
        "很抱歉，这个我不知道。还有什么可以帮您的吗？",
        "不客气。",
        "您想了解什么？",
    ),
}


def default_lines(language: str) -> Lines:
    """The lines of a BCP 47 language (its first subtag counts); English for one that is not here."""
    return _LINES.get(language.split("-", 1)[0].lower(), _LINES["en"])
