"""`deploy/gateway.toml` is the settings' documentation: complete, and equal to the defaults."""

import tomllib
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.settings import Route, Settings, Target, load
from gateway.settings.build import Rule
from gateway.settings.sources import RULES

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "gateway.toml"


def example() -> str:
    """The commented route at the end of the file, as TOML."""
    lines = FILE.read_text().split("\n")
    start = lines.index("# [routes.main]")
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[start:])


def test_the_file_means_the_defaults() -> None:
    """Loaded from where it lies, the documented file gives what no file gives in the project's folder."""
    documented = load(FILE.read_text(), str(FILE), {}, base=FILE.parent)
    assert load(None, "", {}, base=ROOT) == documented


def test_every_key_is_documented() -> None:
    """Each field of each settings class stands in the file, apart from what a file cannot hold."""
    table = tomllib.loads(FILE.read_text())
    defaults = Settings()
    for each in fields(Settings):
        value = getattr(defaults, each.name)
        if each.name == "routes" or RULES.get((Settings, each.name), Rule()).withheld:
            continue
        assert each.name in table
        if hasattr(type(value), "__dataclass_fields__"):
            assert {inner.name for inner in fields(value)} == set(table[each.name])


def test_every_entry_is_explained() -> None:
    """No key stands without a comment right above it."""
    lines = FILE.read_text().split("\n")
    bare = [line for above, line in pairwise(lines) if " = " in line and line[0] != "#"]
    explained = [line for above, line in pairwise(lines) if above.startswith("# ")]
    assert bare
    assert set(bare) <= set(explained)


def test_the_example_route_is_complete_and_true() -> None:
    """The route in the comments is valid, names every field of a target, and shows their defaults."""
    route = tomllib.loads(example())["routes"]["main"]
    first, second = route["targets"]
    assert {each.name for each in fields(Route)} == set(route)
    withheld = {name for (kind, name), rule in RULES.items() if kind is Target and rule.withheld}
    assert {each.name for each in fields(Target)} - withheld == set(first) | set(second)
    default = Target()
    shown = {name: value for name, value in first.items() if name != "url"}
    assert {name: getattr(default, name) for name in shown} == shown
    assert route["on_failure"] == Route().on_failure
    loaded = load(example(), "example", {}, base=ROOT).routes["main"]
    assert [target.embedded for target in loaded.targets] == ["", "extractive"]


@pytest.mark.parametrize(
    "variable",
    [
        "HOST",
        "PORT",
        "GATEWAY_VAR",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "GATEWAY_ADMIN_KEY",
        "GATEWAY_SECRET",
        "GATEWAY_PUBLIC_URL",
        "REDIS_URL",
        "CHROMA_URL",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ],
)
def test_every_variable_is_documented(variable: str) -> None:
    """The file names each environment variable that settings are read from."""
    assert variable in FILE.read_text()
