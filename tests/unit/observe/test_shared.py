"""gateway/observe/shared.py, kept.py and process.py: the metrics of several processes, whichever is asked"""

import fcntl
import shutil
import struct
import time
from pathlib import Path

import orjson
import pytest
from prometheus_client import Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gateway.errors import NotWritable
from gateway.observe.present import NOTHING, joined
from gateway.observe.shared import FOLDER, shared
from gateway.types import Worker
from tests.counting import counting
from tests.unit.observe.test_metrics import NOW, made, turn

ENDED = "gateway_requests_total"


def descriptors() -> int:
    """Open ones of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_any_worker_answers_for_all(tmp_path: Path) -> None:
    """Counts, buckets and streams are sums, wherever a scrape lands; a killed one's turns stay, its streams do not."""
    with counting(tmp_path, 0, 1, 2) as workers:
        for number, each in enumerate(workers, 1):
            each.told(f"turns {number}")
            each.told(f"streams {number}")
            before = each.scraped()  # it tells the others what is so now
        for each in workers:
            seen = each.scraped()
            assert seen.by(ENDED, "agent", "route", "outcome") == {("nora", "main", "ok"): 6}
            assert seen.total("gen_ai_server_time_to_first_token_seconds_sum") == pytest.approx(0.75)
            assert seen.total("gen_ai_server_time_to_first_token_seconds_bucket", le="0.1") == 0
            assert seen.total("gen_ai_server_time_to_first_token_seconds_bucket", le="0.15") == 6
            assert seen.total("gen_ai_server_time_to_first_token_seconds_bucket", le="+Inf") == 6
            assert (seen.value("gateway_workers"), seen.value("gateway_inflight_streams")) == (3, 6)
        assert seen.value("process_resident_memory_bytes") > 3 * 20e6
        workers[0].kill()
        after = workers[1].scraped()
        assert (after.value("gateway_workers"), after.value("gateway_inflight_streams")) == (2, 5)
        assert after.total(ENDED) == 6 and not before.fallen(after)
        assert after.value("process_resident_memory_bytes") < seen.value("process_resident_memory_bytes") * 0.8


def test_a_number_that_is_free_again_goes_on_with_its_counts(tmp_path: Path) -> None:
    """After a kill and after a proper end; no counter goes down, and there are no more files than before."""
    with counting(tmp_path, 0, 1) as (first, witness):
        first.told("turns 2")
        before = witness.scraped()
        files = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
        first.kill()
        between = witness.scraped()
        with counting(tmp_path, 0) as (second,):
            second.told("turns 1")
            last = second.scraped()
            assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == files
        with counting(tmp_path, 0) as (third,):
            assert third.scraped().total(ENDED) == witness.scraped().total(ENDED) == 3
            assert not [*before.fallen(between), *between.fallen(last), *last.fallen(third.scraped())]


def test_no_count_falls_between_two_scrapes_of_a_busy_worker(tmp_path: Path) -> None:
    """Its values and its new series are read while it writes them, by two at once; in the end they are exact."""
    with counting(tmp_path, 0, 1, 2) as (busy, *witnesses):
        busy.begun("turns 20000")
        before = witnesses[0].scraped()
        scrapes = 0
        while before.total(ENDED) < 20_000:
            for each in witnesses:
                each.begun("scrape")
            for each in witnesses:
                after = each.answered()
                assert not before.fallen(after)
            before, scrapes = after, scrapes + 1
        assert busy.answer() is None and scrapes > 3
        assert before.total("gen_ai_server_request_duration_seconds_count") == 20_000
        assert before.total("gen_ai_server_request_duration_seconds_sum") == pytest.approx(18_000)


async def test_one_process_and_several_have_the_same_metrics(tmp_path: Path) -> None:
    """The same names, types, words and labels, in both forms; nothing is created twice or told when it was."""
    alone = made()
    alone.turned(turn())
    async with shared(Worker(0, tmp_path)) as place:
        beside = made(place=place)
        beside.turned(turn())
        forms = [one.exposed("")[0].decode() for one in (alone, beside)]
        opened = beside.exposed("application/openmetrics-text; version=1.0.0")[0].decode()
    heads = [sorted(line for line in form.splitlines() if line.startswith("#")) for form in forms]
    series = [sorted(line.rpartition(" ")[0] for line in form.splitlines() if line[0] != "#") for form in forms]
    assert heads[0] == heads[1] and len(heads[0]) > 60
    assert [name for name in series[0] if "process_" not in name] == [
        name for name in series[1] if "process_" not in name
    ]
    assert len(series[0]) == len(series[1]) and "_created" not in opened
    samples = {one.name for each in text_string_to_metric_families(opened) for one in each.samples}  # type: ignore[no-untyped-call]
    assert ENDED in samples


def test_what_a_kill_cut_short_is_read_and_gone_on_with(tmp_path: Path) -> None:
    """A file without a byte, one without an entry, one with half of one behind what counts, and an old note."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "counter_0.db").touch()
    (folder / "counter_7.db").touch()
    (folder / "histogram_7.db").write_bytes(bytes(1 << 16))
    with counting(tmp_path, 3) as (killed,):
        killed.told("turns 2")
        killed.kill()
    with (folder / "counter_3.db").open("r+b") as file:
        (used,) = struct.unpack("i", file.read(4))
        file.seek(used)
        file.write(struct.pack("i", 200) + b'["gateway_reque')
    for number in (0, 3):
        with counting(tmp_path, number) as (worker,):
            worker.told("turns 1")
            seen = worker.scraped()
    assert seen.total(ENDED) == 4 and seen.value("gateway_workers") == 1


async def test_a_number_belongs_to_one_process(tmp_path: Path) -> None:
    """A second one with it is refused in a sentence, after a second; who came first goes on."""
    with counting(tmp_path, 1) as (first,):
        first.told("turns 1")
        with pytest.raises(NotWritable, match="Another process counts as worker 1"):
            async with shared(Worker(1, tmp_path)):
                pass
        assert first.scraped().total(ENDED) == 1


async def test_a_folder_that_takes_no_files_is_told(tmp_path: Path) -> None:
    """Before anything is served: a file stands where the folder should be."""
    (tmp_path / FOLDER).touch()
    with pytest.raises(NotWritable, match="takes no files of metrics"):
        async with shared(Worker(0, tmp_path)):
            pass


async def test_what_is_opened_is_closed(tmp_path: Path) -> None:
    """No descriptor stays open, the note is gone, and metrics made afterwards are in memory again."""
    before = descriptors()
    async with shared(Worker(0, tmp_path)) as place:
        assert place is not None
        place.note(NOW)
        assert (tmp_path / FOLDER / "0.json").exists()
    place.note(NOW)  # one that came too late
    Counter("afterwards", "Made when the place is left.", registry=None).inc()
    assert descriptors() == before
    assert not (tmp_path / FOLDER / "0.json").exists()
    assert b"afterwards" not in (tmp_path / FOLDER / "counter_0.db").read_bytes()


async def test_a_worker_that_hangs_is_late(tmp_path: Path) -> None:
    """Its lock is held and its note grows old: so far behind it is, and its turns still run."""
    async with shared(Worker(0, tmp_path)) as place:
        assert place is not None
        folder = tmp_path / FOLDER
        told = {"process": 1, "at": time.monotonic() - 10, **NOTHING._replace(streams=4)._asdict(), "newer": True}
        (folder / "1.json").write_bytes(orjson.dumps(told))
        with (folder / "1.lock").open("wb") as lock:
            assert list(place.others()) == []  # nobody holds it: it ended
            fcntl.flock(lock, fcntl.LOCK_EX)
            (hanging,) = place.others()
            (folder / "1.json").write_bytes(b"{}")
            assert list(place.others()) == []
    assert (hanging.process, hanging.reading.streams) == (1, 4) and 8.9 < hanging.reading.lag < 10


async def test_a_note_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, with what to do; the metrics are served as they were."""
    async with shared(Worker(0, tmp_path)) as place:
        assert place is not None
        shutil.rmtree(place.folder)
        for _ in range(3):
            place.note(NOW)
        assert [one.getMessage().partition(" cannot be written")[1:] for one in caplog.records] == [
            (
                " cannot be written",
                " (No such file or directory): other workers' /metrics show this one as it was before; make room there",
            )
        ]


def test_of_several_the_worst_counts() -> None:
    """Turns are summed; a breaker that is open somewhere is open, and a collection is served where all serve it."""
    well = NOTHING._replace(
        streams=2, lag=0.5, breakers={"a": "closed", "b": "half-open"}, knowledge={"k": "v", "l": "v"}
    )
    ill = NOTHING._replace(
        streams=1,
        draining=True,
        missing=["store"],
        breakers={"a": "open", "b": "closed"},
        knowledge={"k": "", "m": "v"},
    )
    for pair in ([well, ill], [ill, well]):
        both = joined(pair)
        assert (both.streams, both.lag, both.draining, both.missing) == (3, 0.5, True, ["store"])
        assert both.breakers == {"a": "open", "b": "half-open"}
        assert both.knowledge == {"k": "", "l": "v", "m": "v"}
    assert joined([]) == NOTHING._replace(missing=[])
