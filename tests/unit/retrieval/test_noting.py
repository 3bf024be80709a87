"""What events make of a job; the rest is seen through jobs (`test_jobs`)."""

from dataclasses import replace

from gateway.errors import Fault
from gateway.retrieval.ingest import Done, Note
from gateway.retrieval.noting import MOST, noted
from tests.stores import INGESTED

BUILT = Done("lighthouse", "v1", 3, 5, 5, 0, 0.1, built=True)


def test_a_version_that_the_job_has_built_stays_built() -> None:
    """Where the job is begun again it finds its own version, which was new all the same; another one was not."""
    job = noted(noted(INGESTED, BUILT), replace(BUILT, built=False))
    assert job.collections[0].built
    assert not noted(job, replace(BUILT, version="v0", built=False)).collections[0].built


def test_notes_and_faults_have_a_bound() -> None:
    """The first ones, and the last."""
    job = INGESTED
    for number in range(2 * MOST):
        job = noted(noted(job, Note(f"{number}")), Fault("", number, "", "is strange"))
    assert (len(job.notes), job.notes[0], job.notes[-1]) == (MOST + 1, "0", f"{2 * MOST - 1}")
    assert (len(job.faults), job.faults[-1].line) == (MOST + 1, 2 * MOST - 1)
