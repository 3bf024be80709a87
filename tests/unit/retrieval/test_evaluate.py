"""Golden questions."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.retrieval import evaluate
from gateway.retrieval.evaluate import Question
from gateway.types import Passage, Query, Retrieval, Retrieved

FACTS = (("140 Euro", "hundertvierzig Euro"), ("pro Nacht",))


@pytest.mark.parametrize(
    ("facts", "text", "stated"),
    [
        (FACTS, "Das kostet 140\u00a0euro,\n PRO  Nacht.", True),
        (FACTS, "Hundertvierzig Euro pro Nacht.", True),
        (FACTS, "Das kostet 140 Euro.", False),
        (FACTS, "", False),
        ((), "Anything at all.", False),
    ],
)
def test_states(facts: Sequence[Sequence[str]], text: str, stated: bool) -> None:
    """A text states the facts when it says each of them in one of its spellings, whatever the case and the
    spaces."""
    assert evaluate.states(facts, text) is stated


def test_declines() -> None:
    """An answer declines when it is the agent's `unknown` line; an agent without one never does."""
    assert evaluate.declines("I do not know that.", " I do not\nknow that. ")
    assert not evaluate.declines("I do not know that.", "I do not know that. But the tea is good.")
    assert not evaluate.declines("", "")


async def test_rank_is_of_the_first_passage_that_holds_the_answer() -> None:
    """The fact counts only in a source that is named, and the turn before the question is the context."""
    asked: list[Query] = []

    async def retrieve(names: Sequence[str], query: Query, retrieval: Retrieval) -> Retrieved:
        asked.append(query)
        texts = [("other.md", "140 Euro"), ("price.md", "90 Euro"), ("price.md", "140 Euro")]
        found = [Passage(f"train/{s}#{n}", names[0], s, "", text) for n, (s, text) in enumerate(texts)]
        return Retrieved(tuple(found[: retrieval.top_k]), "hybrid")

    questions = [
        Question("a", "emil", ("Hello", "What is it?", "And alone?"), ("price.md",), (("140 Euro",),)),
        Question("b", "emil", ("What?",), ("price.md",), (("7 Euro",),)),
        Question("c", "emil", ("Who?",), unanswerable=True),
    ]
    found = await evaluate.ask(retrieve, "train", questions, 4)
    assert [one.rank for one in found] == [3, 0, 0]
    assert evaluate.recall(found, 3) == 0.5
    assert asked[0] == Query("And alone?", "What is it?")
    assert evaluate.recall(await evaluate.ask(retrieve, "train", questions[:1], 2), 2) == 0.0


def test_golden_files(tmp_path: Path) -> None:
    """A file is a collection's questions; every fault of every file is told at once."""
    good = {"id": "a", "agent": "nora", "turns": ["x"], "sources": ["x.md"], "facts": [["y"]]}
    (tmp_path / "tower.json").write_text(
        json.dumps([good, {"id": "b", "agent": "nora", "turns": ["z"], "unanswerable": True}])
    )
    [first, second] = evaluate.golden(tmp_path)["tower"]
    assert (first.turns, first.facts, second.unanswerable) == (("x",), (("y",),), True)

    wrong: list[object] = [
        7,
        good | {"extra": 1},
        good | {"id": 7},
        good | {"turns": []},
        good | {"facts": ["y"]},
        good | {"unanswerable": True},
        {key: value for key, value in good.items() if key != "facts"},
    ]
    (tmp_path / "tower.json").write_text(json.dumps(wrong))
    (tmp_path / "train.json").write_text("[")
    (tmp_path / "zoo.json").write_text("{}")
    with pytest.raises(ConfigurationError) as error:
        evaluate.golden(tmp_path)
    assert [fault.field for fault in error.value.faults] == [*(f"[{n}]" for n in range(len(wrong))), "", ""]
    with pytest.raises(ConfigurationError, match="no golden questions"):
        evaluate.golden(tmp_path / "nowhere")
