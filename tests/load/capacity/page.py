"""`deploy/capacity.md`, made of the figures. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tests.load.capacity import words
from tests.load.capacity.calculation import Assumptions, Needs, described, needs, streams_a_core
from tests.load.capacity.figures import FULL, LATE_MS, Figures, Ladder
from tests.load.capacity.limits import cell, limits

SESSIONS = (1_000, 10_000, 100_000, 1_000_000)


def rounded(value: float) -> str:
    """Two or three figures, for a person: 0.031, 4.2, 63, 1,240,000."""
    if value == int(value) and abs(value) < 1000:
        return f"{value:.0f}"
    if value < 1:
        return f"{value:.2g}"
    if value < 10:
        return f"{value:.1f}"
    digits = 0
    while abs(value) >= 1000:
        value, digits = value / 10, digits + 1
    return f"{round(value) * 10**digits:,}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """In Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def page(figures: Figures, given: Assumptions | None = None) -> str:
    """The whole page. Every part must have been measured."""
    given = given or Assumptions()
    by_simli = replace(given, launched=0.0)
    parts = [
        words.HEAD,
        *_streams(figures, given),
        *_turns(figures, given),
        *_memory(figures),
        *_redis(figures),
        *_knowledge(figures),
        *_calculated(figures, given, by_simli),
        *_limits(figures, given, by_simli),
        words.THEORY,
        *_measured(figures),
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)) + "\n"


def _streams(figures: Figures, given: Assumptions) -> Iterator[str]:
    yield words.STREAMS.format(late=LATE_MS)
    rows = [
        (
            f"{ladder.who}, {ladder.pace:g}/s",
            f"{one.streams:,}",
            f"{one.chunks:,.0f}",
            f"{one.turns:,.0f}",
            f"{one.core:.0%}",
            f"{one.late_p50:.1f} ms",
            f"{one.late_p99:.1f} ms" if one.kept else f"**{one.late_p99:.1f} ms**",
            f"{one.load:.0%}",
            f"{one.lexical:.0%}" if ladder.who == "agent" else "",
            str(one.failures),
        )
        for ladder in figures.streams
        for one in ladder.rungs
    ]
    yield from table(words.STREAMS_HEAD, rows)
    yield ""
    for ladder in figures.streams:
        yield f"- {_verdict(ladder)}"
    full = streams_a_core(figures, given)
    yield words.FULL.format(
        route=rounded(1e6 / _chunk_us(figures) / given.pace),
        agent=rounded(full),
        share=f"{given.full:.0%}",
        one=rounded(full * given.full),
    )


def _chunk_us(figures: Figures) -> float:
    return next(one.chunk_us for one in figures.turns if one.who == "route")


def _verdict(ladder: Ladder) -> str:
    """What a ladder says: the last rung that held, and why the next one did not."""
    kept = [one for one in ladder.rungs if one.kept]
    top = max((one.streams for one in kept), default=0)
    last = ladder.rungs[-1]
    if last.kept and last.load >= FULL:
        why = "the load's core was full then, and a gateway may carry more"
    elif last.kept and last.core >= FULL:
        why = "its core was full then"
    elif last.kept:
        why = "nothing more was tried"
    elif last.failures:
        why = f"at {last.streams:,}, {last.failures} streams failed"
    else:
        why = f"at {last.streams:,}, one chunk in a hundred came {last.late_p99:.0f} ms late or more"
    if last.lexical > 0.01:
        why += f", and for {last.lexical:.0%} of the turns there was no time to compare vectors"
    return f"**{ladder.who}, {ladder.pace:g} chunks a second: {top:,} streams at once held**; {why}."


def _turns(figures: Figures, given: Assumptions) -> Iterator[str]:
    yield words.TURNS
    rows = [
        (
            one.who,
            f"{one.turn_ms:.2f} ms",
            f"{one.chunk_us:.0f} µs",
            f"{one.asked_bytes:,.0f}",
            f"{one.prompt_bytes:,.0f}",
            f"{one.model_bytes:,.0f}",
            f"{one.heard_bytes:,.0f}",
            f"{one.frame_bytes:,.0f}",
        )
        for one in figures.turns
    ]
    yield from table(words.TURNS_HEAD, rows)
    agent = next(one for one in figures.turns if one.who == "agent")
    yield words.WIRE.format(
        chunks=given.chunks,
        heard=rounded(given.chunks * agent.heard_bytes),
        told=rounded(given.chunks * agent.model_bytes),
    )


def _memory(figures: Figures) -> Iterator[str]:
    yield words.MEMORY
    rows = [
        (
            one.who,
            *(f"{held.megabytes:,.0f} MB" for held in one.held),
            f"{one.kilobytes:.0f} kB",
            f"{one.descriptors:.1f}",
        )
        for one in figures.memory
    ]
    counts = [f"{held.streams:,} streams" if held.streams else "idle" for held in figures.memory[0].held]
    yield from table(("", *counts, "a stream", "descriptors a stream"), rows)
    (register,) = figures.register
    yield words.CONNECTIONS
    yield words.REGISTER.format(
        keys=f"{register.keys:,}",
        kilobytes=f"{register.kilobytes:.1f}",
        change=f"{register.change_ms:.2f}",
        all=f"{register.all_us:.0f}",
        saved=f"{register.saved_us:.0f}",
        seconds=f"{register.keys * register.all_us / 1e6:.2f}",
    )


def _redis(figures: Figures) -> Iterator[str]:
    yield words.REDIS
    rows = [
        (
            one.kind,
            f"{sum(one.commands.values()):.1f}",
            f"{one.reads:.1f}",
            f"{one.cpu:.0f} µs",
            f"{one.bytes_in:,.0f}",
            f"{one.bytes_out:,.0f}",
            ", ".join(f"{name} {count:g} ({one.micros[name]:.0f} µs)" for name, count in one.commands.items()),
        )
        for one in figures.redis
    ]
    yield from table(words.REDIS_HEAD, rows)
    (sizes,) = figures.sizes
    yield words.SIZES.format(
        session=f"{sizes.session:,.0f}",
        words=f"{sizes.words:,.0f}",
        record=f"{sizes.record:,.0f}",
        key=f"{sizes.key:,.0f}",
    )


def _knowledge(figures: Figures) -> Iterator[str]:
    (embedding,) = figures.embedding
    yield words.KNOWLEDGE.format(
        ms=f"{embedding.milliseconds:.1f}", tokens=f"{embedding.tokens:.0f}", two=rounded(embedding.two_threads)
    )
    rows = [
        (
            f"{one.passages:,}",
            one.place,
            rounded(one.per_second),
            f"{one.p50:.1f} ms",
            f"{one.p99:.1f} ms",
            f"{one.cpu:.2f} ms",
            f"{one.megabytes:,.0f} MB",
        )
        for one in figures.chroma
    ]
    yield from table(words.KNOWLEDGE_HEAD, rows)


def _calculated(figures: Figures, given: Assumptions, by_simli: Assumptions) -> Iterator[str]:
    yield words.CALCULATION.format(
        cycle=f"{given.cycle:g}", stream=f"{given.stream:.1f}", chunks=f"{given.turn_chunks:.0f}"
    )
    yield from table(
        ("assumption", "value", "meaning"), ((f"`{name}`", f"{value:,g}", says) for name, value, says in described())
    )
    yield words.NEEDS
    yield from rows_of([needs(count, figures, given) for count in SESSIONS])
    yield words.NEEDS_BY_SIMLI
    only = {
        "Redis: cores",
        "Redis: commands a second",
        "Redis: gigabytes",
        "session keys in each process",
        "gigabytes of them in each process",
    }
    yield from rows_of([needs(count, figures, by_simli) for count in SESSIONS], only)


def rows_of(columns: Sequence[Needs], only: Iterable[str] = ()) -> Iterator[str]:
    """What is needed, a row each; of some rows only."""
    wanted = set(only)
    rows = [
        (name, *(rounded(float(getattr(one, attribute))) for one in columns))
        for name, attribute in words.NEEDED
        if not wanted or name in wanted
    ]
    yield from table(("sessions at once", *(f"{one.sessions:,}" for one in columns)), rows)


def _limits(figures: Figures, given: Assumptions, by_simli: Assumptions) -> Iterator[str]:
    yield words.LIMITS
    other = {limit.name: limit.sessions for limit in limits(figures, by_simli)}
    rows = [
        (
            _from(limit.sessions),
            _from(other[limit.name]),
            f"{limit.name}: {limit.what}",
            limit.then,
            "no" if limit.hard else "yes",
        )
        for limit in limits(figures, given)
    ]
    yield from table(words.LIMITS_HEAD, rows)
    yield ""
    for sessions in SESSIONS:
        yield _at(sessions, figures, given, by_simli)
    one = cell(figures, by_simli)
    fleets = -(-1_000_000 // int(one))
    yield words.CELLS.format(cell=rounded(one), fleets=fleets)


def _from(sessions: float) -> str:
    return "never" if sessions == float("inf") else rounded(sessions)


def _at(sessions: int, figures: Figures, given: Assumptions, by_simli: Assumptions) -> str:
    """What has broken at so many sessions, in a line."""
    every = limits(figures, by_simli)
    broken = [limit.name for limit in every if limit.sessions <= sessions]
    more = [one.name for one in limits(figures, given) if one.sessions <= sessions and one.name not in broken]
    told = ", ".join(broken) or "nothing"
    here = f" Where the gateway starts the sessions, also {', '.join(more)}." if more else ""
    next_ = next(
        (f" Next: {limit.name}, at {rounded(limit.sessions)}." for limit in every if limit.name not in broken), ""
    )
    return f"- **{sessions:,} sessions.** At their end: {told}.{next_}{here}"


def _measured(figures: Figures) -> Iterator[str]:
    yield words.MEASURED
    yield from table(("part", "on"), sorted(figures.around.items()))
