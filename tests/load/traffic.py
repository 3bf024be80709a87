"""How people talk with a face, in figures, and conversations drawn from these figures.

A conversation is a greeting and some turns. A turn is what a speech recogniser makes of it: now and then it sends what
it has understood, sends it again, longer, and hangs up on the first request. A person listens to an answer for as long
as a voice needs to speak it, thinks, and asks again; or speaks over it, and what was not heard is in no history.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.load.listening import Heard

DEVELOPMENT = Path(__file__).resolve().parents[1] / "development"
LANGUAGES = ("en", "de")


class Habit(NamedTuple):
    """Something that varies between two bounds; evenly, but for what says otherwise."""

    name: str
    least: float
    most: float
    source: str

    def drawn(self, chance: random.Random) -> float:
        return chance.uniform(self.least, self.most)

    @property
    def middle(self) -> float:
        return (self.least + self.most) / 2


class Share(NamedTuple):
    """Of how many something is so; 1 is all."""

    name: str
    of: float
    source: str

    def so(self, chance: random.Random) -> bool:
        return chance.random() < self.of


QUESTION = Habit("words of a question", 3, 25, "assumed: as in tests/development, and what people put in front")
TURNS = Habit("turns of a conversation", 4, 12, "assumed: two to five minutes with a face")
VOICE = Habit("words a second that a voice speaks", 2.3, 2.8, "140 to 170 words a minute")
THOUGHT = Habit("seconds between hearing and asking", 0.5, 3.0, "assumed")
OVER = Habit("seconds heard before speaking over it", 0.5, 3.0, "assumed")
AGAIN = Habit("seconds between two versions of a turn", 0.15, 0.6, "assumed: a breath that passes for an end")
FIRST = Habit("the model's seconds to its first token", 0.2, 0.6, "assumed: hosted models, asked from nearby")
PACE = Habit("the model's words a second", 30, 60, "assumed: hosted models")
ANSWER = Habit("words of an answer", 12, 90, "assumed: most often 35")
HABITS = (QUESTION, TURNS, VOICE, THOUGHT, OVER, AGAIN, FIRST, PACE, ANSWER)

INTERRUPTED = Share("answers that are spoken over", 0.15, "assumed")
VERSIONS = Share("turns that are sent before they are whole", 0.18, "published of speculative starts: 18 % are in vain")
SHORT = Share("questions that only follow up", 0.25, "assumed")
LONG = Share("questions with words in front", 0.20, "assumed")
SHARES = (INTERRUPTED, VERSIONS, SHORT, LONG)

USUAL_ANSWER = 35.0
"""Words; the most frequent length."""
SYSTEM = "You are Chatbot, a friendly, helpful robot. You are talking with a person through an avatar."
"""What Simli sends where nobody set a prompt begins like this; the gateway takes it out."""
_FOLLOWING = {
    "en": ("And in winter?", "How much is that?", "And for two?", "Where is that exactly?", "Is it open today?"),
    "de": ("Und im Winter?", "Was kostet das?", "Und zu zweit?", "Wo ist das genau?", "Geht das heute noch?"),
}
_BEFORE = {
    "en": ("Right, so, what I wanted to ask you is this.", "Sorry, one more thing before I forget it."),
    "de": ("Also, was ich Sie eigentlich noch fragen wollte.", "Entschuldigung, eins noch, bevor ich es vergesse."),
}
_STOCK = ("I see. It is ", "three minutes from here, ", "and the door is open until six.")


class Ask(NamedTuple):
    """One request."""

    messages: Sequence[Mapping[str, str]]
    leave_after: float = float("inf")
    """Seconds after which it is hung up on, whatever has come: a longer version follows."""


class Turn(NamedTuple):
    """What is sent for one question: shorter versions first, the whole one last."""

    asks: Sequence[Ask]
    over: float
    """Seconds after the first word at which the person speaks over the answer; infinite where it listens."""

    @property
    def question(self) -> str:
        return self.asks[-1].messages[-1]["content"]


@cache
def questions(language: str) -> tuple[str, ...]:
    """What people asked the sample agents, with as many words as a question here may have."""
    name = {"en": "lighthouse", "de": "nachtzug"}[language]
    every = json.loads((DEVELOPMENT / f"{name}.json").read_text("utf-8"))
    found = [turn for each in every for turn in each["turns"]]
    return tuple(text for text in found if QUESTION.least <= words(text) <= QUESTION.most)


def words(text: str) -> int:
    """How many a voice has to speak."""
    return len(text.split())


class Conversation:
    """One person's. `joined`: so many turns are over already, for a load that begins in the midst of its day."""

    def __init__(self, chance: random.Random, language: str = "en", *, joined: int = 0) -> None:
        self._chance = chance
        self._language = language if language in LANGUAGES else "en"
        self._messages: list[dict[str, str]] = [{"role": "system", "content": SYSTEM}]
        self._voice = VOICE.drawn(chance)
        self.left = max(1, round(TURNS.drawn(chance)) - joined)
        """Turns that are still to come."""
        for _ in range(joined):
            self._note("user", self._question())
            self._note("assistant", "".join(_STOCK))

    def greeting(self) -> Ask:
        """Before anybody spoke: a system message, and nothing else."""
        return Ask(tuple(self._messages[:1]))

    def turn(self) -> Turn:
        """The next question; it is in the history from now on."""
        question = self._question()
        versions = list(self._versions(question)) if VERSIONS.so(self._chance) else []
        over = OVER.drawn(self._chance) if INTERRUPTED.so(self._chance) else float("inf")
        before = tuple(self._messages)
        self._note("user", question)
        self.left -= 1
        return Turn([*versions, Ask((*before, self._messages[-1]))], over)

    def heard(self, answer: Heard, over: float = float("inf")) -> float:
        """Take an answer into the history, as far as it was heard; the seconds until the person asks again."""
        every = answer.text.split(" ")
        if over < float("inf"):
            every = every[: max(1, round(over * self._voice))]
        if answer.text:
            self._note("assistant", " ".join(every))
        listening = min(over, len(every) / self._voice) if answer.text else 0.0
        since = max(0.0, answer.seconds - answer.first) if answer.text else 0.0  # the voice spoke meanwhile
        thinking = 0.0 if over < float("inf") else THOUGHT.drawn(self._chance)
        return max(0.0, listening - since) + thinking

    def _versions(self, question: str) -> Iterator[Ask]:
        """What the recogniser took for the whole, once or twice."""
        every = question.split(" ")
        for part in (0.5, 0.75)[: self._chance.randint(1, 2)]:
            shorter = {"role": "user", "content": " ".join(every[: max(1, int(len(every) * part))])}
            yield Ask((*self._messages, shorter), AGAIN.drawn(self._chance))

    def _question(self) -> str:
        if SHORT.so(self._chance):
            return self._chance.choice(_FOLLOWING[self._language])
        question = self._chance.choice(questions(self._language))
        before = self._chance.choice(_BEFORE[self._language])
        room = words(before) + words(question) <= QUESTION.most
        return f"{before} {question}" if room and LONG.so(self._chance) else question

    def _note(self, role: str, content: str) -> None:
        self._messages.append({"role": role, "content": content})


def body(model: str, ask: Ask) -> dict[str, Any]:
    """The request as a voice pipeline writes it."""
    return {"model": model, "stream": True, "stream_options": {"include_usage": True}, "messages": list(ask.messages)}


def cycle() -> float:
    """Seconds from one question of a person to the next, on average."""
    answer = (ANSWER.least + ANSWER.most + USUAL_ANSWER) / 3
    listened = FIRST.middle + answer / VOICE.middle + THOUGHT.middle
    broken = FIRST.middle + OVER.middle
    return listened * (1 - INTERRUPTED.of) + broken * INTERRUPTED.of


class Sent(NamedTuple):
    """What so many people send, by a reckoning beforehand."""

    requests: int
    model_calls: int
    """The rest is greetings, which an agent answers from its file."""
    tokens: int
    """In and out, by 1.4 a word and a persona with passages of 1,500."""


def expected(user_seconds: float) -> Sent:
    """Of people that talk for so long, all in all."""
    turns = user_seconds / cycle()
    calls = turns * (1 + VERSIONS.of * 1.5)
    history = TURNS.middle * (QUESTION.middle + USUAL_ANSWER)
    tokens = calls * (1500 + 1.4 * history) + turns * 1.4 * USUAL_ANSWER
    return Sent(round(calls + turns / TURNS.middle), round(calls), round(tokens))
