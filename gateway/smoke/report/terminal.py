"""A run on a terminal of 80 columns: what was asked and heard, how long it took, what did not hold, what to do."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from gateway.smoke.report.figures import brief, ms, percent, readable, seconds
from gateway.smoke.report.measured import tiles
from gateway.smoke.report.verdict import MODES, of_run, of_turn, sentence
from gateway.smoke.report.waits import waited_ms
from gateway.types.smoke import Smoke, SmokeTurn

WIDTH = 80
ASKED = 32
MOST = 160
"""Characters of an answer that are shown; the report has all of it."""


def table(smoke: Smoke) -> list[str]:
    """Lines of at most 80 columns, without colours."""
    lines = [*_folded(f"{of_run(smoke).word}: {sentence(smoke)}")]
    lines += _folded(f"{smoke.agent}, {MODES[smoke.mode]}, {seconds(smoke.seconds)}")
    if smoke.turns:
        lines += ["", *_turns(smoke), "", *_figures(smoke)]
    if smoke.findings:
        lines += ["", *_findings(smoke)]
    elif not smoke.passed:
        lines += ["", *_steps(smoke)]
    return lines


def _turns(smoke: Smoke) -> Iterator[str]:
    yield f"{'':<4}{'asked':<{ASKED}} {'waited':>8} {'misheard':>11}  verdict"
    yield f"{'':<4}{'':<{ASKED}} {'':>8} {'ask/answer':>11}"
    for number, turn in enumerate(smoke.turns):
        asked = _cut(turn.question or "(the first message)", ASKED)
        wait = brief(waited_ms(turn.moments)) if turn.question else ""
        errors = f"{_error(turn.question_error)}/{_error(turn.answer_error)}"
        verdict = of_turn(turn, number, smoke.findings).word
        yield from _row(f"{number + 1:>2}  {asked} {wait:>8} {errors:>11}  ", verdict)
        yield from _folded(_heard(turn), "    ")
        yield from _folded("; ".join(_besides(turn)), "    ")


def _heard(turn: SmokeTurn) -> str:
    if turn.heard:
        return f'heard "{_short(turn.heard)}"'
    return "heard nothing" if turn.moments.first_sound is None else "heard something, and no word was recognised"


def _besides(turn: SmokeTurn) -> Iterator[str]:
    """What is to be said of a turn beyond its row."""
    if turn.missing:
        yield f"not heard: {', '.join(turn.missing)}"
    if turn.interrupted:
        yield f"silent after {ms(turn.silent_ms)}, upstream {turn.upstream or 'not known'}"


def _row(begin: str, verdict: str) -> Iterator[str]:
    room = WIDTH - cell_len(begin)
    first, *more = textwrap.wrap(readable(verdict), room) or [""]
    yield f"{begin}{first}".rstrip()
    for line in more:
        yield f"{'':<{WIDTH - room}}{line}"


def _figures(smoke: Smoke) -> Iterator[str]:
    for figure in tiles(smoke):
        yield from _folded(f"{figure.label:<20}{figure.value:<14}{figure.says}", "", " " * 34)
    if smoke.film:
        yield from _folded(f"{'film':<20}{Path(smoke.film).name}", "", " " * 20)


def _findings(smoke: Smoke) -> Iterator[str]:
    yield "What did not hold"
    for number, finding in enumerate(smoke.findings, 1):
        where = "" if finding.turn is None else f", turn {finding.turn + 1}"
        yield from _folded(f"{number}. {finding.part} ({finding.code}{where}): {finding.says}", "", "   ")
        yield from _folded(f"What to do: {finding.remedy}", "   ")


def _steps(smoke: Smoke) -> Iterator[str]:
    for step in smoke.steps:
        yield from _folded(f"{step.verdict:<8} {step.name}: {step.says}", "", " " * 9)


def _folded(text: str, first: str = "", then: str | None = None) -> Iterator[str]:
    """Broken at the width of the terminal; wide characters count as two."""
    then = first if then is None else then
    line, empty = first, True
    for word in readable(text).replace("\t", " ").replace("\n", " ").split(" "):
        while not empty and cell_len(line) + 1 + cell_len(word) > WIDTH:
            yield line.rstrip()
            line, empty = then, True
        rest = word
        while empty and cell_len(line) + cell_len(rest) > WIDTH:
            fits = _fitting(rest, WIDTH - cell_len(line))
            yield f"{line}{fits}"
            line, rest = then, rest[len(fits) :]
        line, empty = (line + rest if empty else f"{line} {rest}"), False
    if line.strip():
        yield line.rstrip()


def _fitting(word: str, room: int) -> str:
    size = len(word)
    while size > 1 and cell_len(word[:size]) > room:
        size -= 1
    return word[:size]


def _cut(text: str, width: int) -> str:
    """In so many columns exactly."""
    one = " ".join(readable(text).split())
    return set_cell_size(one if cell_len(one) <= width else f"{set_cell_size(one, width - 1)}…", width)


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= MOST else f"{one[: MOST - 1]}…"


def _error(share: float | None) -> str:
    return "-" if share is None else percent(share).replace(" ", "")
