"""deploy/prometheus and deploy/grafana: what was made of code is there, and names what `/metrics` serves."""

import re
import shutil
import subprocess
from collections.abc import Iterator

import orjson
import pytest
from prometheus_client import CollectorRegistry

from gateway.observe.families import Counted, Measured
from tests.monitoring import alerts, dashboard, files
from tests.monitoring.panels import WIDE
from tests.serving import ROOT
from tests.unit.observe.test_metrics import made, turn

NAME = re.compile(r"\b(?:gateway(?!-)[a-zA-Z0-9_:]*|gen_ai_[a-z_]+_[a-z]+|(?:process|simli)_[a-z_]+)\b")
SELECTED = re.compile(r"\b(gateway_\w+|gen_ai_\w+)\{([^}]*)\}")
BY = re.compile(r"by \(([^)]*)\)")
PROMTOOL = shutil.which("promtool")


def expressions() -> Iterator[str]:
    """Every expression of the rules and of the dashboard."""
    for group in alerts.groups():
        yield from (rule["expr"] for rule in group["rules"])
    for panel in dashboard.document()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def served_text() -> str:
    """What `/metrics` says after a turn."""
    metrics = made()
    metrics.turned(turn())
    return metrics.exposed("", sessions=1)[0].decode()


def served() -> dict[str, set[str]]:
    """Every series that `/metrics` can have, and its labels."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", served_text(), re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    registry = CollectorRegistry()
    for family in (*Counted(registry).all, *Measured(registry).all):
        endings = ("_total",) if family._type == "counter" else ("_sum", "_count", "_bucket")
        for ending in endings:
            found[family._name + ending] = {*family._labelnames, *(("le",) if ending == "_bucket" else ())}
    return found


@pytest.mark.parametrize("path", list(files()))
def test_the_file_is_what_the_code_makes(path: str) -> None:
    """`python -m tests.monitoring` writes it again."""
    assert (ROOT / path).read_text("utf-8") == files()[path]


def test_every_name_is_served_or_recorded() -> None:
    """No panel and no alert is about a metric or a label that nobody has."""
    known = served()
    recorded = {rule["record"] for group in alerts.groups() for rule in group["rules"] if "record" in rule}
    bare = (BY.sub("", re.sub('"[^"]*"', "", each)) for each in expressions())
    seen = {name for each in bare for name in NAME.findall(each)}
    assert len(seen) > 40
    assert seen <= {*known, *recorded}
    for each in expressions():
        for name, matched in SELECTED.findall(each):
            assert set(re.findall(r"(\w+)=", matched)) <= known[name], each
        names = [name for name in NAME.findall(each) if name in known]
        for label in (one.strip() for by in BY.findall(each) for one in by.split(",")):
            assert any(label in known[name] for name in names), each


def test_everything_that_is_served_is_looked_at() -> None:
    """Each family stands in the dashboard or in a rule."""
    every = " ".join(expressions())
    registry = CollectorRegistry()
    families = (*Counted(registry).all, *Measured(registry).all)
    assert [family._name for family in families if family._name not in every] == []


def test_every_alert_has_its_page() -> None:
    """The runbook has a section for each, which tells where to look: at panels that are there."""
    page = files()["deploy/runbook.md"]
    named = {name for line in page.splitlines() if line.startswith("## ") for name in line[3:].split(", ")}
    rules = [rule for group in alerts.groups() for rule in group["rules"] if "alert" in rule]
    assert named == {rule["alert"] for rule in rules}
    titles = tuple(panel["title"] for panel in dashboard.document()["panels"])
    for text in (page, *(rule["annotations"]["runbook"] for rule in rules)):
        for mention in re.findall(r"\b[Pp]anels? ([A-Z].*)", text):
            assert mention.startswith(titles), mention
    assert "{{" not in page


def test_a_threshold_is_one_of_the_buckets() -> None:
    """A bound that an expression names is served as it is written there; else it would never find anything."""
    text = served_text()
    named = {found for each in expressions() for found in re.findall(r'(\w+_bucket)\{[^}]*le="([^"]+)"', each)}
    assert named
    for name, bound in named:
        assert re.search(rf'^{name}\{{.*le="{re.escape(bound)}"', text, re.MULTILINE), (name, bound)


def test_panels_lie_beside_one_another() -> None:
    """No two overlap, none is wider than the page, and each says what it shows."""
    panels = orjson.loads(files()["deploy/grafana/gateway.json"])["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= WIDE, panel["title"]
        assert panel["type"] == "row" or panel["description"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian's package prometheus)")
@pytest.mark.parametrize(
    "asked", [("check", "rules", "rules.yml"), ("test", "rules", "rules.test.yml"),
              ("check", "config", "--syntax-only", "prometheus.yml")],
)  # fmt: skip
def test_prometheus_takes_them(asked: tuple[str, ...]) -> None:
    """Its own tool reads the rules, and every alert fires when it should and not otherwise."""
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *asked], cwd=ROOT / "deploy" / "prometheus", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
