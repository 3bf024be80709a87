"""What becomes of a job whose process is gone."""

from dataclasses import replace

import pytest

from gateway.errors import Fault
from gateway.store.ingest_records import DIED, FATAL, GONE, HANDED_ON, LATE, MOST_KILLED, Told, read, written
from gateway.types.knowledge import Ingesting, JobState
from tests.stores import INGESTED

FAULT = Fault("birds.md", 3, "", "is strange")


def test_a_job_is_read_as_it_was_written() -> None:
    """With its process and the time; one that an older gateway has written was begun once; anything else is nothing."""
    job = replace(INGESTED, faults=(FAULT,), attempts=2, killed=1)
    text = written("p", job, 7.0)
    assert read(text) == Told(text, "p", job, 7.0)
    older = read(text.replace(',"attempts":2,"killed":1', ""))
    assert older is not None
    assert (older.job.attempts, older.job.killed) == (1, 0)
    assert [read(each) for each in ("[", "[1, 2]", '["p", {"id": 7}, 1.0]', "7")] == [None] * 4


@pytest.mark.parametrize(
    ("process", "state", "killed", "note"),
    [("", "waiting", 0, HANDED_ON), ("p", "running", 1, DIED), ("p", "waiting", 0, DIED)],
)
def test_the_next_process_begins_it_anew(process: str, state: JobState, killed: int, note: str) -> None:
    """Who hands it on was not killed by it, nor was who had not begun; what was told of files is told again."""
    job = replace(INGESTED, state=state, collections=(Ingesting("lighthouse", 5, 10),), notes=("odd",), faults=(FAULT,))
    found = Told("", process, job, 7.0).after(7.0 + LATE)
    assert found == replace(job, state="waiting", notes=(note,), faults=(), attempts=2, killed=killed)


@pytest.mark.parametrize(
    ("killed", "later", "code", "why"),
    [(0, LATE + 1, "shutting_down", GONE), (MOST_KILLED, 1.0, "internal_error", FATAL)],
)
def test_it_has_failed_where_it_is_too_late_or_too_often(killed: int, later: float, code: str, why: str) -> None:
    """With what was wrong before, and the reason; it ended when it was last heard of."""
    found = Told("", "p", replace(INGESTED, faults=(FAULT,), killed=killed), 7.0).after(7.0 + later)
    assert (found.state, found.code, found.ended, found.attempts) == ("failed", code, 7.0, 1)
    assert found.faults == (FAULT, Fault("", 0, "", why))
