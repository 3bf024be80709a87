"""The report's files: `report.html` for people, `report.json` for programs."""

import json
from dataclasses import asdict
from pathlib import Path

from gateway.smoke.report.footage import footage
from gateway.smoke.report.page import page
from gateway.smoke.report.pictures import screens
from gateway.smoke.report.waits import median_wait_ms, waited_ms
from gateway.types.smoke import Smoke


def as_json(smoke: Smoke) -> str:
    """All fields by their names; and `passed`, `median_wait_ms`, of each turn `waited_ms`. Null: not seen."""
    fields = asdict(smoke)
    for turn, shown in zip(smoke.turns, fields["turns"], strict=True):
        shown["waited_ms"] = waited_ms(turn.moments)
    whole = {"passed": smoke.passed, "median_wait_ms": median_wait_ms(smoke.turns), **fields}
    text = json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False)
    return text.encode("utf-8", "replace").decode()  # half a character cannot be written


def written(smoke: Smoke, folder: Path) -> Path:
    """Write both into a folder, which is made; the film and the screenshots lie there already. The page's path.

    It reads the film, so it takes seconds: call it in a thread. A film that cannot be read is said on the page.
    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(f"{as_json(smoke)}\n", "utf-8")
    path = folder / "report.html"
    path.write_text(page(smoke, footage(smoke, folder), screens(smoke.screenshots, folder)), "utf-8")
    return path
