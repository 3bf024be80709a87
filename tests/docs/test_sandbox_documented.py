"""What the README says of the sandbox."""

from dataclasses import fields
from pathlib import Path

from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.faults import KINDS

SECTION = (Path(__file__).parents[2] / "README.md").read_text("utf-8").split("## The sandbox")[1].split("\n## ")[0]


def test_every_behaviour_and_fault_is_documented() -> None:
    """Each field of `POST /sandbox/behaviour` and each kind of `POST /sandbox/faults` stands in the README."""
    assert not [name for name in (*(one.name for one in fields(Behaviour)), *KINDS) if f"`{name}`" not in SECTION]
