"""deploy/capacity.md is what was measured, and nothing else."""

import yaml

from tests.load.capacity.__main__ import KEPT, PAGE, PARTS
from tests.load.capacity.calculation import Assumptions, streams_a_core
from tests.load.capacity.figures import read
from tests.load.capacity.page import page
from tests.serving import ROOT


def test_the_page_is_what_the_figures_make() -> None:
    """`python -m tests.load.capacity --page` makes it again; no number on it was written by hand."""
    assert PAGE.read_text("utf-8") == page(read(KEPT.read_bytes()))


def test_every_part_was_measured() -> None:
    """Each part says when and on what."""
    assert set(read(KEPT.read_bytes()).around) == set(PARTS)


def test_the_page_is_found() -> None:
    """The README leads to it, and so does the page on deployment."""
    assert "deploy/capacity.md" in (ROOT / "README.md").read_text("utf-8")
    assert "`capacity.md`" in (ROOT / "deploy" / "README.md").read_text("utf-8")


def test_the_autoscaler_comes_before_a_core_is_full() -> None:
    """It adds a pod of one core at a number of streams that leaves a fifth of the core, at least."""
    scaling = yaml.safe_load((ROOT / "deploy/kubernetes/monitoring/scaling.yaml").read_text("utf-8"))
    (streams,) = (
        each["pods"]["target"]["averageValue"] for each in scaling["spec"]["metrics"] if each["type"] == "Pods"
    )
    assert 0 < int(streams) <= 0.8 * streams_a_core(read(KEPT.read_bytes()), Assumptions())
