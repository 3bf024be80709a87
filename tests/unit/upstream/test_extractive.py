"""The embedded upstream without a model, from a prompt to its chunks."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.retrieval.sentences import sentences
from gateway.types import Agent, Chunk, Passage, Prompt, Sentence
from gateway.upstream.choice import WEIGHTS
from gateway.upstream.extractive import ALONE, UNKNOWN, answered, extractive, said

NORA = Agent("nora", "You are Nora.", first_message="Good day, I am Nora.", unknown="That is not in my book.")
EMIL = replace(NORA, name="emil", language="de-DE", unknown="Das weiß ich nicht.")


def passage(text: str, title: str = "", rank: int = 0) -> Passage:
    found = tuple(Sentence(one, None) for one in sentences(text))
    return Passage(f"c/f.md#{rank}", "c", "f.md", title, text, 0.03 - rank / 1000, sentences=found)


LIGHT = (
    passage(
        "The tower was built in 1858 by the Low family. It is **thirty-eight metres** tall and painted white. "
        "A return ticket costs twelve pounds. The boat leaves at a quarter past nine.",
        "Skerrin > The tower",
    ),
    passage("Puffins come in April. They nest in burrows because gulls cannot reach them there.", "Birds", 1),
)
TRAIN = (
    passage("Eine Hundekarte kostet 29 Euro. Der Zug fährt um 18.34 Uhr in Hamburg ab.", "Nordlicht > Hunde"),
    passage("Im Speisewagen gibt es Suppe. Die Brücke ist 204 Meter hoch.", "Strecke", 1),
)


def never(_: Prompt) -> str:
    return ""


def greeting(prompt: Prompt) -> str:
    assert prompt.agent is not None
    return prompt.agent.first_message if prompt.question.strip().lower() in {"", "hello", "good evening!"} else ""


def asked(question: str, context: str = "", agent: Agent = NORA, passages: tuple[Passage, ...] = LIGHT) -> str:
    return said(Prompt((), agent=agent, question=question, context=context, passages=passages), never)


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("How tall is the tower?", "thirty-eight metres"),
        ("When was the tower built?", "1858"),
        ("What does a return ticket cost?", "twelve pounds"),
        ("Why do puffins nest in burrows?", "because gulls cannot reach them"),
    ],
)
def test_says_the_sentence_that_answers(question: str, fact: str) -> None:
    """The answer is made of whole sentences of the passages, without their marks, and holds the fact."""
    answer = asked(question)
    assert fact in answer
    assert "*" not in answer
    assert 1 <= answer.count(". ") + 1 <= 2


@pytest.mark.parametrize(
    ("question", "fact"),
    [("Was kostet eine Karte für den Hund?", "29 Euro"), ("Wie hoch ist die Brücke?", "204 Meter")],
)
def test_compounds_are_found(question: str, fact: str) -> None:
    """A German compound is found by its parts, and the language comes from the agent."""
    assert fact in asked(question, agent=EMIL, passages=TRAIN)


def test_follow_up_uses_the_turn_before() -> None:
    """A question that names nothing is understood with the one before it."""
    assert "Puffins come in April" in asked("And when?", context="Do puffins come here?")


def near(cosines: Sequence[float], one: Passage = LIGHT[0]) -> Passage:
    """A passage as a search with the model brings it: each sentence with its cosine."""
    pairs = zip(one.sentences, cosines, strict=True)
    sentences = tuple(Sentence(sentence.text, cosine) for sentence, cosine in pairs)
    return replace(one, sentences=sentences, similarity=max(cosines))


def test_meaning_counts_where_it_is_known() -> None:
    """A sentence that shares no word with the question is found by its cosine, and then its next one is likelier."""
    passages = (near([0.84, 0.90, 0.84, 0.84]),)
    assert asked("What do ships see by day?", passages=passages) == " ".join(
        one.text for one in passages[0].sentences[1:3]
    )


@pytest.mark.parametrize(
    ("similarities", "answers"),
    [
        ([0.82], True),
        ([0.79], False),
        ([0.84, 0.838, 0.836, 0.835], False),
        ([0.84, 0.83, 0.82, 0.81], True),
        ([0.78, 0.77, 0.76, 0.76], False),
    ],
)
def test_what_does_not_stand_out_is_declined(similarities: Sequence[float], answers: bool) -> None:
    """Where all is far from the question, or many passages are as near as the first, no sentence is an answer."""
    passages = tuple(replace(near([cosine] * 4), id=f"c/f.md#{number}") for number, cosine in enumerate(similarities))
    assert (asked("How tall is the tower?", passages=passages) != NORA.unknown) == answers


def test_unrelated_question_is_declined() -> None:
    """Where the passages do not speak of what is asked, the agent's own line is said."""
    assert asked("Which bank lends money to astronauts?") == NORA.unknown
    assert asked("How tall is the tower?", passages=()) == NORA.unknown
    assert asked("What?", agent=replace(NORA, unknown=""), passages=()) == UNKNOWN


@pytest.mark.parametrize("question", ["Hello", "", "  "])
def test_bare_greeting_gets_the_first_message(question: str) -> None:
    """A greeting, or a conversation without a question, is answered from the agent file."""
    assert said(Prompt((), agent=NORA, question=question, passages=LIGHT), greeting) == NORA.first_message


def test_route_without_agent_says_what_it_is() -> None:
    """Asked itself, it says in plain English that it has no knowledge of its own."""
    assert said(Prompt((), question="Who are you?"), never) == ALONE


@pytest.mark.parametrize("most", [1, 2, 3])
def test_answer_has_so_many_sentences_at_most(most: int) -> None:
    """`most` bounds the sentences of an answer, and they stand in their passage's order."""
    question = "What of the tower, its ticket, its boat?"
    prompt = Prompt((), agent=NORA, question=question, passages=LIGHT)
    answer = said(prompt, never, weights=replace(WEIGHTS, most=most))
    assert 1 <= len(sentences(answer)) <= most
    spoken = " ".join(sentences(LIGHT[0].text))
    assert [spoken.find(one) for one in sentences(answer)] == sorted(spoken.find(one) for one in sentences(answer))


async def read(prompt: Prompt, pause: float = 0.0) -> list[Chunk]:
    return [chunk async for chunk in extractive(never, pause=pause)(prompt)]


async def test_streams_word_by_word() -> None:
    """One word a chunk, joined it is the answer; the finish and the usage come last, once."""
    prompt = Prompt((), agent=NORA, question="How tall is the tower?", passages=LIGHT)
    *words, last = await read(prompt)
    text = "".join(chunk.text for chunk in words)
    assert text == said(prompt, never)
    assert all(len(chunk.text.split()) == 1 and chunk.finish_reason is None for chunk in words)
    assert last.text == ""
    assert last.finish_reason == "stop"
    assert last.usage is not None
    assert last.usage["completion_tokens"] == len(words)
    assert last.usage["total_tokens"] == last.usage["prompt_tokens"] + len(words)


async def test_first_word_comes_at_once_and_the_others_are_paced() -> None:
    """The pause lies between words, not before the first."""
    prompt = Prompt((), agent=NORA, question="How tall is the tower?", passages=LIGHT)
    began = time.monotonic()
    times = [time.monotonic() - began async for _ in answered(prompt, reply=never, pause=0.02)]
    assert times[0] < 0.02
    assert times[-2] >= 0.02 * (len(times) - 2)


async def test_others_run_between_the_words() -> None:
    """Even without a pause the event loop turns between two words."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    words = await read(Prompt((), agent=NORA, question="How tall is the tower?", passages=LIGHT))
    task.cancel()
    assert turns >= len(words) - 1


async def test_closing_ends_it() -> None:
    """A caller that hangs up closes the stream, and nothing goes on."""
    prompt = Prompt((), agent=NORA, question="How tall is the tower?", passages=LIGHT)
    stream = answered(prompt, reply=never, pause=10.0)
    assert (await anext(stream)).text
    await asyncio.wait_for(stream.aclose(), 1.0)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


def test_answer_takes_less_than_two_milliseconds() -> None:
    """It runs on the event loop, so it must not hold it: four full passages, the median."""
    long = " ".join(f"Sentence {n} tells of harbour {n % 7} and of its {n + 3} boats in winter." for n in range(11))
    passages = tuple(passage(f"{long} Passage {rank}.", "Harbours", rank) for rank in range(4))
    times = []
    for number in range(100):
        prompt = Prompt((), agent=NORA, question=f"How many boats has harbour {number} in winter?", passages=passages)
        began = time.perf_counter()
        said(prompt, never)
        times.append(time.perf_counter() - began)
    assert sorted(times)[50] < 0.002
