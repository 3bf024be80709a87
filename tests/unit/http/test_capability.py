"""gateway/http/capability.py"""

import re

from gateway.http.capability import Capabilities, capability, gateway_id, path

SECRET = "s" * 32


def test_a_capability_is_a_function_of_secret_agent_and_generation() -> None:
    """The same ones give the same, so nothing is stored; another one of the three gives another; it fits into a URL."""
    first = capability(SECRET, "nora", 0)
    assert first == capability(SECRET, "nora", 0)
    assert (
        len({first, capability("t" * 32, "nora", 0), capability(SECRET, "ann", 0), capability(SECRET, "nora", 1)}) == 4
    )
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", first)
    assert path("abc", first, "nora") == f"/k/abc.{first}/agents/nora/v1/chat/completions"


def test_a_path_says_whose_it_is_and_opens_with_and_without_it() -> None:
    """The gateway's id, made of the secret or pinned, stands in front; somebody else's id opens nothing."""
    known = Capabilities(SECRET, lambda: ["nora"], lambda _: 0)
    assert known.id == gateway_id(SECRET) != gateway_id("t" * 32)
    assert Capabilities(SECRET, list, lambda _: 0, "mine").id == "mine"
    nora = known.of("nora")
    assert known.path_of("nora") == path(known.id, nora, "nora")
    assert [known.agent_of(each) for each in (f"{known.id}.{nora}", nora, f"other.{nora}")] == ["nora", "nora", None]


def test_names_and_numbers_do_not_run_into_each_other() -> None:
    """Agent `a`, generation 11, is not agent `a1`, generation 1."""
    assert capability(SECRET, "a", 11) != capability(SECRET, "a1", 1)


def test_it_opens_its_agent_until_it_is_renewed_or_the_agent_is_gone() -> None:
    """New agents, new generations and deleted agents count from the next look on."""
    agents, generations = ["nora"], {"nora": 0, "ann": 3}
    known = Capabilities(SECRET, lambda: agents, lambda name: generations[name])
    nora, ann = known.of("nora"), known.of("ann")
    assert (known.agent_of(nora), known.agent_of(ann)) == ("nora", None)
    agents.append("ann")
    assert known.agent_of(ann) == "ann"
    generations["nora"] = 1
    assert known.agent_of(nora) is None and known.agent_of(known.of("nora")) == "nora"
    agents.remove("ann")
    assert known.agent_of(ann) is None
    for wrong in ("", nora[:-1], nora + "=", nora.swapcase(), "\ud800", "x" * 10_000):
        assert known.agent_of(wrong) is None
