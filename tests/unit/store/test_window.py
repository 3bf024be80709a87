"""The rule of rates: the store's and the process's own are the same."""

import random
from dataclasses import dataclass, field

from gateway.store.connection import Connection
from gateway.store.limits import ADMIT
from gateway.store.window import Local, Verdict
from gateway.types import Quota, Rate
from tests.stores import Server

KEY = Quota("key:a", Rate(3, 0))


def test_so_many_in_any_minute() -> None:
    """After the rate is spent each further place is free when the oldest request is a minute old, to the second."""
    local = Local()
    for now in (100.5, 110.2, 110.9):
        assert local.verdict([KEY], now).refused == 0
        local.count([KEY], "", now)
    assert local.verdict([KEY], 120.0) == Verdict(1, 3, 0, 50.0, 40.0)
    assert local.verdict([KEY], 159.9).refused == 1
    assert local.verdict([KEY], 160.0).refused == 0
    local.count([KEY], "", 160.0)
    assert local.verdict([KEY], 160.1) == Verdict(1, 3, 0, 220.0 - 160.1, 170.0 - 160.1)
    assert local.verdict([KEY], 171.0).remaining == 1


def test_an_even_pace_at_the_rate_is_never_refused() -> None:
    """Who asks exactly at the rate, evenly, is let in for ever."""
    local, quota = Local(), Quota("key:a", Rate(100, 0))
    for index in range(1000):
        now = 1000.05 + index * 0.6
        assert local.verdict([quota], now).refused == 0
        local.count([quota], "", now)


def test_owners_of_whom_nothing_counts_are_forgotten() -> None:
    """What the process keeps is bounded by who has asked in the last minute."""
    local = Local()
    for index in range(30_000):
        quota = Quota(f"key:{index}", Rate(5, 0))
        local.count([quota], "", float(index))
    assert len(local._windows) <= 10_000


def test_a_day_of_requests_is_a_minute_of_memory() -> None:
    """Counting alone, as while the store decides, keeps no more than two minutes' buckets."""
    local = Local()
    for second in range(86_400):
        local.count([KEY], "", float(second))
    assert len(local._windows["key:a"].buckets) <= 121
    assert local.verdict([KEY], 86_400.0).refused == 1


@dataclass
class Model:
    """Who is inside, as the test sees it."""

    local: Local = field(default_factory=Local)
    leases: list[tuple[list[Quota], str]] = field(default_factory=list)


async def test_the_store_rules_as_the_process_does(server: Server) -> None:
    """Over random tries, rates and departures the script and the process say the same: who, how many, how long."""
    chance, model = random.Random(7), Model()
    connection = Connection(lambda: server.url, 1.0, "gateway", [ADMIT])
    async with connection.opened():
        assert await connection.reached(5)
        for number in range(400):
            owners = chance.sample(["key:a", "key:b", "agent:n"], chance.randint(1, 3))
            quotas = [Quota(owner, Rate(chance.choice((0, 5, 40, 90)), chance.choice((0, 2, 6)))) for owner in owners]
            keys = [f"gateway:{kind}:{owner}" for owner in owners for kind in ("window", "streams")]
            keys.append("gateway:processes")
            rates = [part for quota in quotas for part in _rate(quota)]
            before = _now(server)
            told = await connection.run(ADMIT, keys, (f"l{number}", 30_000, *rates))
            after = _now(server)
            if int(after) != int(before):
                server.say("FLUSHALL")  # the second changed meanwhile: the two may differ by it
                model = Model()
                continue
            mine = model.local.verdict(quotas, before)
            assert told[:3] == [mine.refused, mine.limit, mine.remaining], (number, quotas)
            assert abs(told[3] / 1000 - mine.reset) < after - before + 0.01
            assert abs(told[4] / 1000 - mine.retry_after) < after - before + 0.01
            if not mine.refused:
                model.local.count(quotas, f"l{number}", before)
                model.leases.append((quotas, f"l{number}"))
            if chance.random() < 0.5 and model.leases:
                gone, lease = model.leases.pop(chance.randrange(len(model.leases)))
                for owner, rate in gone:
                    if rate.streams:
                        model.local.leave(owner, lease)
                        server.say("ZREM", f"gateway:streams:{owner}", lease)


def _rate(quota: Quota) -> tuple[int, int]:
    return quota.rate.requests, quota.rate.streams


def _now(server: Server) -> float:
    seconds, micro = server.say("TIME")
    return int(seconds) + int(micro) / 1_000_000
