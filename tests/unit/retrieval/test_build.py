"""Building versions: what is embedded, what is refused, what is kept."""

import json
import shutil
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import Fault, KnowledgeError
from gateway.retrieval import build, contents, ingest, trial, versions
from gateway.retrieval.ingest import Done, Note
from tests.knowledge import LIGHTHOUSE, HashedModel, built, hashed, job, write


def events(root: Path, *names: str) -> list[ingest.Event]:
    found: list[ingest.Event] = []
    build.build(job(root, *names), HashedModel().passage, found.append)
    return found


def test_only_what_changed_is_embedded(tmp_path: Path) -> None:
    """A second ingest embeds the texts that are new; after a change back there is nothing to build at all."""
    made = HashedModel()
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE, made)
    first = shelf.current()
    assert len(made.embedded) == 7
    assert "Birds > Puffins: Puffins nest in June." in made.embedded
    made.embedded.clear()
    built(tmp_path, "lighthouse", LIGHTHOUSE | {"log.txt": "A calm. The boat came at noon.\n"}, made)
    assert sorted(made.embedded) == [
        f"log: {text}" for text in ("A calm.", "A calm. The boat came at noon.", "The boat came at noon.")
    ]
    assert shelf.current() != first

    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    [done] = ingest.ingest(job(tmp_path))
    assert isinstance(done, Done)
    assert (done.built, done.version, done.files, done.passages) == (False, first, 3, 5)
    assert shelf.current() == first


def test_who_goes_on_with_anothers_job_waits_for_what_is_still_written(tmp_path: Path) -> None:
    """As long as it was told to, and no longer; without a word of that it does not wait at all."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    write(tmp_path / "knowledge" / "lighthouse", {"log.txt": "A calm.\n"})
    told: list[ingest.Event] = []
    for patience in (0.0, 0.6, 20.0):
        with ExitStack() as holding:
            holding.enter_context(shelf.written())
            if patience > 1:
                later = threading.Timer(0.2, holding.pop_all().close)
                later.start()
            patient = replace(job(tmp_path, "lighthouse"), patience=patience)
            began = time.monotonic()
            build.build(patient, HashedModel().passage, told.append)
            assert time.monotonic() - began > min(patience, 0.2)
    first, second, *_, done = told
    assert isinstance(first, Fault)
    assert isinstance(second, Fault)
    assert "is ingesting it" in first.problem
    assert isinstance(done, Done)
    later.join()


def test_version_says_what_it_was_made_from(tmp_path: Path) -> None:
    """A sealed version has its files' hashes, its language and its model, and every passage is reachable."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    version = shelf.version(shelf.current())
    assert set(version.files) == set(LIGHTHOUSE)
    assert (version.passages, version.characters, version.model) == (5, 800, versions.MODEL)
    path = shelf.path / version.name
    assert trial.fault(path) == ""
    opened = contents.load(path, version)
    for place, passage in enumerate(opened.passages):
        [(nearest, cosine)] = opened.nearest(hashed(f"{passage.title}: {passage.text}")[None], 1)
        assert nearest == place
        assert cosine > 0.8
    opened.close()


def test_faults_refuse_the_collection_and_nothing_is_lost(tmp_path: Path) -> None:
    """Every file that cannot be read is named, and what was ingested before is still served."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    before = shelf.current()
    directory = tmp_path / "knowledge" / "lighthouse"
    write(directory, LIGHTHOUSE | {"bad.md": b"na\xefve", "worse.txt": b"\0\0", "scan.pdf": b"%PDF"})
    found = events(tmp_path, "lighthouse")
    assert [fault.where for fault in found if isinstance(fault, Fault)] == [
        str(directory / "bad.md"),
        str(directory / "worse.txt"),
    ]
    assert [note.text for note in found if isinstance(note, Note)] == [
        f"{directory / 'scan.pdf'}: left out: only .md, .markdown and .txt are read"
    ]
    assert shelf.current() == before
    assert shelf.sealed() == [before]


def test_empty_collection_never_replaces_a_full_one(tmp_path: Path) -> None:
    """A folder that lost its texts is a fault, not an empty version."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    before = shelf.current()
    write(tmp_path / "knowledge" / "lighthouse", {"empty.md": "\n"})
    [fault] = events(tmp_path, "lighthouse")
    assert isinstance(fault, Fault)
    assert "holds no text" in fault.problem
    assert shelf.current() == before


def test_vectors_of_another_dimension_are_refused(tmp_path: Path) -> None:
    """A model that is not the version's leaves nothing behind."""
    write(tmp_path / "knowledge" / "lighthouse", LIGHTHOUSE)
    found: list[ingest.Event] = []
    build.build(job(tmp_path, "lighthouse"), HashedModel(dimension=256).passage, found.append)
    [fault] = found
    assert isinstance(fault, Fault)
    assert "not of 384 numbers" in fault.problem
    assert versions.shelf(tmp_path / "var", "lighthouse").sealed() == []


def test_store_of_another_model_is_refused(tmp_path: Path) -> None:
    """A version whose description and store disagree about the model is not opened."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    path = shelf.path / shelf.current()
    described = json.loads((path / versions.DESCRIPTION).read_text()) | {"model": "other"}
    (path / versions.DESCRIPTION).write_text(json.dumps(described))
    with pytest.raises(KnowledgeError, match="was made with"):
        contents.load(path, shelf.version(shelf.current()))


def test_faults_of_a_damaged_version_are_told(tmp_path: Path) -> None:
    """A version that changed since it was tried is tried again, and one that lost vectors or its graph is
    refused."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    path = shelf.path / shelf.current()
    graph = next((path / "chroma").glob("*/data_level0.bin"))
    whole = graph.read_bytes()
    graph.write_bytes(whole[:100])
    assert trial.fault(path) != ""
    graph.write_bytes(whole)
    assert trial.fault(path) == ""
    shutil.rmtree(path / "chroma")
    assert "cannot be opened" in trial.fault(path)


def test_rollback(tmp_path: Path) -> None:
    """The version before the current one is served again, or the one that is named; others are refused."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    first = shelf.current()
    built(tmp_path, "lighthouse", {"only.md": "Nothing else.\n"})
    second = shelf.current()
    assert ingest.rollback(shelf) == first
    assert shelf.current() == first
    assert ingest.rollback(shelf, second) == second
    with pytest.raises(KnowledgeError, match="there is no version"):
        ingest.rollback(shelf, "19990101")
    with pytest.raises(KnowledgeError, match="there are no versions"):
        ingest.rollback(versions.shelf(tmp_path / "var", "nowhere"))
    assert shelf.current() == second


def test_unreadable_version_is_built_anew(tmp_path: Path) -> None:
    """A version that another release described differently is in nobody's way."""
    shelf = built(tmp_path, "lighthouse", LIGHTHOUSE)
    (shelf.path / shelf.current() / versions.DESCRIPTION).write_text("{}")
    before = shelf.current()
    built(tmp_path, "lighthouse", LIGHTHOUSE)
    assert shelf.current() > before
    [done] = ingest.ingest(job(tmp_path))
    assert isinstance(done, Done)
    assert done.version == shelf.current()


def test_wrong_names_are_faults(tmp_path: Path) -> None:
    """A folder that does not exist, that cannot be a collection's name, or a directory of none of them, is
    told."""
    assert [str(fault) for fault in ingest.ingest(job(tmp_path))] == [
        f"{tmp_path / 'knowledge'}: holds no collection: put Markdown or text files into a folder in it"
    ]
    write(tmp_path / "knowledge" / "a b", {"x.md": "x"})
    faults = list(ingest.ingest(job(tmp_path, "a b", "tower")))
    assert [type(fault) for fault in faults] == [Fault, Fault]
    assert "no name for a collection" in str(faults[0])
    assert "collections are: a b" in str(faults[1])


def test_events_are_lines() -> None:
    """What the child says is what the parent hears."""
    done = Done("tower", "1", 2, 3, 4, 5, 0.5, built=True)
    fault = Fault("x.md", 3, "", "is „odd“\nindeed")
    for event in (done, fault, Note("n"), ingest.Progress("tower", 1, 2)):
        line = ingest.encoded(event)
        assert "\n" not in line
        assert ingest.decoded(line) == event
