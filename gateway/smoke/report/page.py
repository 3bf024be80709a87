"""The report as one page of HTML: no script, no file beside it but the film, nothing loaded from anywhere."""

from base64 import b64encode
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gateway.smoke.report import figures
from gateway.smoke.report.footage import Footage
from gateway.smoke.report.measured import figures as media_figures
from gateway.smoke.report.measured import tiles
from gateway.smoke.report.pictures import Screens
from gateway.smoke.report.transcripts import transcripts
from gateway.smoke.report.turns import turns
from gateway.smoke.report.verdict import MODES, of_run, sentence
from gateway.smoke.report.waterfall import comparison
from gateway.types.smoke import Smoke, SmokeMedia

TEMPLATES = Path(__file__).parent / "templates"
FILTERS: dict[str, Callable[..., str]] = {
    "ms": figures.ms,
    "percent": figures.percent,
    "seconds": figures.seconds,
    "clock": figures.clock,
    "day": figures.day,
    "counted": figures.counted,
    "quoted": quote,
}


def page(smoke: Smoke, footage: Footage, screens: Screens) -> str:
    """The whole page. Every text of it that is not this program's own is escaped."""
    style = (TEMPLATES / "page.css").read_text("utf-8")
    return (
        _environment()
        .get_template("page.html")
        .render(
            smoke=smoke,
            judged=of_run(smoke),
            sentence=sentence(smoke),
            mode=MODES[smoke.mode],
            tiles=tiles(smoke),
            media=media_figures(smoke.media),
            untouched=SmokeMedia(),
            turns=turns(smoke),
            comparison=comparison(smoke.turns),
            transcripts=transcripts(smoke.said, [turn.answer for turn in smoke.turns if turn.interrupted]),
            footage=footage,
            screens=screens,
            style=Markup(style),  # noqa: S704, it is a file of this folder
            policy=_policy(style),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finished,
    )
    environment.filters.update(FILTERS)
    return environment


def _finished(value: Any) -> Any:
    """What was not seen says so, and no text steers the page."""
    if value is None:
        return figures.NOT_SEEN
    return figures.readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _policy(style: str) -> str:
    """Nothing but this style, the pictures within, and the film beside it."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; media-src 'self' file:; "
        "base-uri 'none'; form-action 'none'"
    )
