"""What deploy/README.md names is there; tests/deployed follows its commands."""

import re

from tests.deploy.proxies import DEPLOY
from tests.serving import ROOT

PAGE = (DEPLOY / "README.md").read_text("utf-8")
TABLE = PAGE.split("\n## ")[0]


def test_every_file_is_in_the_table() -> None:
    """Whatever lies in deploy/ is named at the top of the page, and nothing that does not lie there."""
    named = {name.rstrip("/") for name in re.findall(r"`([\w.-]+/?)`", TABLE)}
    assert named == {path.name for path in DEPLOY.iterdir()} - {"README.md", "environment", ".env"}


def test_every_target_that_is_named_exists() -> None:
    """`make X` on the page is one of `make help`."""
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", PAGE))
    assert "deploy-test" in named
    assert named <= targets


def test_what_is_measured_keeps_the_promises() -> None:
    """The page's table is of these two proxies, adds less than 2 ms, holds nothing together, hangs up within 100 ms."""
    rows = re.findall(
        r"^\| (nginx|Caddy) [\d.]+ \| ([\d.]+) ms \| (\w+) \| [\d.]+ ms \| ([\d.]+) ms \|$", PAGE, re.MULTILINE
    )
    assert {row[0] for row in rows} == {"nginx", "Caddy"}
    assert all(float(added) < 2 and together == "none" and float(late) < 100 for _, added, together, late in rows)


def test_its_commands_fit_a_terminal() -> None:
    """No line of them is longer than 80 characters."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 40
    assert not [line for line in lines if len(line) > 80]
