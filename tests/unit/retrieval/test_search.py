"""Hybrid search and its fusion, over real indexes with hashed vectors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.retrieval import contents, search
from gateway.retrieval.contents import Contents
from gateway.types import Query, Retrieval
from tests.knowledge import LIGHTHOUSE, built, hashed

TRAIN = {"zug.md": "# Der Zug\n\nDer Zug fährt in der Nacht nach Narvik und nicht nach Wien.\n"}


def loaded(root: Path, name: str, files: dict[str, str]) -> Contents:
    shelf = built(root, name, files)
    return contents.load(shelf.path / shelf.current(), shelf.version(shelf.current()))


@pytest.fixture(scope="module")
def lighthouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contents]:
    made = loaded(tmp_path_factory.mktemp("search"), "lighthouse", LIGHTHOUSE)
    yield made
    made.close()


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contents]:
    made = loaded(tmp_path_factory.mktemp("search"), "train", TRAIN)
    yield made
    made.close()


def test_fusion_weighs_ranks() -> None:
    """What both lists know is before what one knows, and a list of less weight counts for less."""
    ranked = search.fused([(1.0, ["a", "b", "c"]), (0.5, ["c", "d"])])
    assert [one for one, _ in ranked] == ["c", "a", "b", "d"]
    assert dict(ranked)["c"] == pytest.approx(1.0 / (search.K + 3) + 0.5 / (search.K + 1))
    assert search.fused([]) == []


def test_best_passage_is_first(lighthouse: Contents) -> None:
    """A question finds the passage that answers it, with its title, its cosine and its score."""
    question = "When do puffins nest?"
    found = search.search([lighthouse], Query(question), Retrieval(top_k=2), hashed(question)[None])
    assert (found[0].id, found[0].title) == ("lighthouse/birds.md#1", "Birds > Puffins")
    assert len(found) == 2
    assert found[0].score > found[1].score > 0
    assert found[0].similarity is not None
    assert found[0].similarity == pytest.approx(
        float(hashed(question) @ hashed("Birds > Puffins: Puffins nest in June.")), abs=1e-4
    )


def test_sentences_come_with_their_cosines(lighthouse: Contents) -> None:
    """A passage brings its sentences, each as near as it is below the title; without a vector nobody knows how near."""
    vector = hashed("When did the boat come?")[None]
    question = Query("When did the boat come?")
    [found] = search.search([lighthouse], question, Retrieval(top_k=1), vector)
    assert [one.text for one in found.sentences] == ["A gale on the third of March.", "The boat did not come."]
    expected = [float(vector[0] @ hashed(f"log: {one.text}")) for one in found.sentences]
    assert [one.similarity for one in found.sentences] == pytest.approx(expected, abs=1e-3)
    [found] = search.search([lighthouse], question, Retrieval(top_k=1), None)
    assert [one.similarity for one in found.sentences] == [None, None]


def test_floor_drops_what_is_too_far(lighthouse: Contents) -> None:
    """A passage below the floor is left out, however many that leaves."""
    vector = hashed("When do puffins nest?")[None]
    far = search.search([lighthouse], Query("When do puffins nest?"), Retrieval(floor=0.3), vector)
    assert [passage.id for passage in far] == ["lighthouse/birds.md#1"]
    assert search.search([lighthouse], Query("When do puffins nest?"), Retrieval(floor=0.999), vector) == ()


def test_lexical_list_alone(lighthouse: Contents) -> None:
    """Without a vector the words decide; what shares none with the question finds nothing."""
    found = search.search([lighthouse], Query("rape oil"), Retrieval(), None)
    assert [passage.id for passage in found] == ["lighthouse/lamp.md#1"]
    assert found[0].similarity is None
    assert search.search([lighthouse], Query("quantum chromodynamics"), Retrieval(), None) == ()


def test_question_without_lexical_hits_is_answered_by_vectors(lighthouse: Contents) -> None:
    """A lexical list that has nothing to say does not change the order of the vectors."""
    vector = hashed("The lamp Range eighteen nautical miles")[None]
    found = search.search([lighthouse], Query("zzz"), Retrieval(), vector)
    cosines = [passage.similarity for passage in found if passage.similarity is not None]
    assert found[0].id == "lighthouse/lamp.md#2"
    assert cosines == sorted(cosines, reverse=True)


def test_several_collections_are_one_list(lighthouse: Contents, train: Contents) -> None:
    """Passages of all collections compete, each by the words of its own language."""
    question = "Fährt der Zug nach Wien?"
    found = search.search([lighthouse, train], Query(question), Retrieval(), hashed(question)[None])
    assert found[0].id == "train/zug.md#1"
    assert {passage.collection for passage in found} == {"lighthouse", "train"}
    assert train.version.language == "de"


@pytest.mark.parametrize(
    ("question", "leans"),
    [
        ("And in winter?", True),
        ("Why?", True),
        ("How long did the storm keep them inside the tower?", True),
        ("How much does the boat crossing with two children cost on Sundays?", False),
    ],
)
def test_only_a_question_that_leans_takes_the_turn_before_it(question: str, leans: bool, lighthouse: Contents) -> None:
    """A question that stands by itself is looked up by itself, so that an unrelated turn cannot drown it."""
    asked = search.texts(Query(question, "Do puffins nest here?"), [lighthouse])
    assert asked == ([f"Do puffins nest here? {question}", question] if leans else [question])
    assert search.texts(Query(question), [lighthouse]) == [question]


def test_follow_up_finds_what_the_turn_before_it_was_about(lighthouse: Contents) -> None:
    """`And when?` behind a question about puffins finds the puffins."""
    query = Query("And when?", "Do puffins nest here?")
    found = search.search([lighthouse], query, Retrieval(top_k=1), None)
    assert [passage.id for passage in found] == ["lighthouse/birds.md#1"]
