"""Sealed versions and the pointer."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.errors import KnowledgeError
from gateway.retrieval import versions
from gateway.retrieval.versions import Shelf, Version


def described(shelf: Shelf, name: str) -> Version:
    return Version(name, shelf.collection, versions.MODEL, versions.DIMENSION, versions.FORM, 800, "en", {}, 1, "")


def sealed(shelf: Shelf) -> str:
    building = shelf.begin()
    name = building.name.removesuffix(versions.BUILDING)
    shelf.describe(building, described(shelf, name))
    return shelf.seal(building).name


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = versions.shelf(tmp_path, "tower")
    made.path.mkdir(parents=True)
    return made


def test_pointer_is_always_whole(shelf: Shelf) -> None:
    """Whoever reads the pointer while it is replaced reads one of the versions, never half a name or none."""
    names = [sealed(shelf), sealed(shelf)]
    shelf.point(names[0])
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(shelf.current())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(100):
        shelf.point(names[turn % 2])
    done.set()
    reader.join()
    assert seen == set(names)


def test_whoever_points_does_not_meet_another_who_does(shelf: Shelf) -> None:
    """Several at once, as a machine's workers are that have read a version of a server's: each of them has pointed."""
    name, failed = sealed(shelf), list[BaseException]()

    def point() -> None:
        try:
            for _ in range(30):
                shelf.point(name)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=point) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert shelf.current() == name
    assert sorted(entry.name for entry in shelf.path.iterdir()) == [name, "current"]


def test_a_pointer_that_a_crash_left_half_written_is_swept(shelf: Shelf) -> None:
    """What is old is deleted; what somebody may be writing just now is not."""
    shelf.point(sealed(shelf))
    old, new = shelf.path / ".current.1.new", shelf.path / ".current.2.new"
    old.write_text("x")
    new.write_text("x")
    os.utime(old, (0, 0))
    with shelf.written():
        shelf.sweep()
    assert (old.exists(), new.exists()) == (False, True)


def test_pointer_names_sealed_versions_only(shelf: Shelf) -> None:
    """What is being built or does not exist cannot be served."""
    building = shelf.begin()
    shelf.describe(building, described(shelf, "x"))
    for name in (building.name, building.name.removesuffix(versions.BUILDING), "19990101"):
        with pytest.raises(KnowledgeError, match="there is no version"):
            shelf.point(name)
    assert shelf.sealed() == []
    assert shelf.current() == ""


def test_second_writer_is_refused(shelf: Shelf) -> None:
    """While one process ingests a collection another one is told who does, and the lock falls with its
    holder."""
    code = (
        "import sys; from pathlib import Path; from gateway.retrieval.versions import Shelf\n"
        "with Shelf(Path(sys.argv[1])).written(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(shelf.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(KnowledgeError, match=rf"pid {holder.pid}\) is ingesting it"), shelf.written():
            pass
        holder.kill()
    with shelf.written():
        pass


def test_sweep_keeps_the_current_version_and_those_before_it(shelf: Shelf) -> None:
    """Three versions are kept, a current one whatever its age, and nothing that a crash left."""
    names = [sealed(shelf) for _ in range(6)]
    shelf.begin()
    shelf.point(names[-1])
    with shelf.written():
        gone = shelf.sweep()
    assert sorted(gone) == names[:3]
    assert shelf.sealed() == names[:2:-1]
    assert not list(shelf.path.glob("*.building"))
    shelf.point(names[3])
    with shelf.written():
        shelf.sweep()
    assert names[3] in shelf.sealed()


def test_sweep_leaves_a_version_that_is_read(shelf: Shelf) -> None:
    """A reader's version is not deleted under it; it goes when the reader has gone."""
    names = [sealed(shelf) for _ in range(5)]
    shelf.point(names[-1])
    with versions.held(shelf.path / names[0]), shelf.written():
        assert shelf.sweep() == [names[1]]
    with shelf.written():
        assert shelf.sweep() == [names[0]]


def test_candidates_are_never_newer_than_the_pointer(shelf: Shelf) -> None:
    """After a rollback the version that was left is not fallen back to."""
    names = [sealed(shelf) for _ in range(3)]
    shelf.point(names[1])
    assert shelf.candidates() == [names[1], names[0]]
    assert versions.before("lighthouse", names[1], shelf.sealed()) == names[0]
    with pytest.raises(KnowledgeError, match="no version before"):
        versions.before("lighthouse", names[0], shelf.sealed())


def test_unreadable_description_is_a_knowledge_error(shelf: Shelf) -> None:
    """A version whose description is damaged is told apart from a fault in the program."""
    name = sealed(shelf)
    (shelf.path / name / versions.DESCRIPTION).write_text('{"name": 1}')
    with pytest.raises(KnowledgeError, match="cannot be read"):
        shelf.version(name)


def test_fingerprint_is_of_files_and_settings() -> None:
    """Another file, another length of passages, or another model is another version."""
    made = versions.fingerprint({"a": "1", "b": "2"}, 800)
    assert made == versions.fingerprint({"b": "2", "a": "1"}, 800)
    others = {
        versions.fingerprint({"a": "1"}, 800),
        versions.fingerprint({"a": "1", "b": "3"}, 800),
        versions.fingerprint({"a": "1", "b": "2"}, 400),
        versions.fingerprint({"a": "1", "b": "2"}, 800, "other"),
    }
    assert made not in others
    assert len(others) == 4
