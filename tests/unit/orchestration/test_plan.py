"""gateway/orchestration/plan.py: what is done about each way in which Simli can differ from the files."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.capability import capability, path
from gateway.orchestration.plan import Drawn, Known, Wanted, changed, drawn
from gateway.types.simli import SimliAgent

ID = "0123456789abcdef"
DAY = "2026-11-24T10:00:00Z"


def endpoint(name: str, host: str = "https://one.example.org", generation: int = 0, id_: str = ID) -> str:
    return host + path(id_, capability("s" * 32, name, generation), name)


def body(name: str, **more: Any) -> dict[str, Any]:
    """What a file wants."""
    return {
        "name": name,
        "face_id": "f",
        "llm_model": name,
        "llm_endpoint": endpoint(name),
        "max_idle_time": 300,
    } | more


def at_simli(id_: str, agent: str, **more: Any) -> SimliAgent:
    """As Simli has it, with what it assigns and what it may have tomorrow."""
    own = {"id": id_, "owner_id": "o", "created_at": DAY, "updated_at": DAY, "emotion": "calm"}
    fields = own | body(agent) | more
    return SimliAgent(id_, str(fields["name"]), fields)


def plan(*names: str, actual: list[SimliAgent], prune: bool = False, **known: Any) -> Drawn:
    return drawn(Known([Wanted(name, body(name)) for name in names], **known), actual, ID, prune=prune)


def told(found: Drawn) -> list[tuple[str, str, str]]:
    return [(each.action, each.agent, each.id) for each in found.plan.changes]


@pytest.mark.parametrize(
    ("more", "differs"),
    [
        ({}, []),
        ({"owner_id": "other", "updated_at": "later", "unheard_of": 1}, []),
        ({"max_idle_time": "300"}, []),
        ({"max_idle_time": 300.0}, []),
        ({"max_idle_time": 301}, ["max_idle_time"]),
        ({"max_idle_time": None}, ["max_idle_time"]),
        ({"face_id": "", "name": "Other"}, ["name", "face_id"]),
        ({"llm_endpoint": endpoint("nora", "https://two.example.org")}, ["llm_endpoint"]),
        ({"llm_endpoint": endpoint("nora", generation=1)}, ["llm_endpoint"]),
    ],
)
def test_a_difference_is_a_field_that_the_file_gives(more: dict[str, Any], differs: list[str]) -> None:
    """What Simli assigns is its own; a number is a number however it is written; only what differs is sent."""
    found = plan("nora", actual=[at_simli("a1", "nora", **more)])
    change = found.plan.changes[0]
    assert [each.field for each in change.differences] == differs
    assert change.action == ("update" if differs else "unchanged")
    assert [list(step.fields) for step in found.steps] == ([differs] if differs else [])


def test_empty_and_missing_are_the_same() -> None:
    """Simli writes either."""
    for wanted in ("", None):
        for now in ({}, {"first_message": ""}, {"first_message": None}):
            assert not changed({"first_message": wanted}, now)


def test_a_field_that_this_simli_does_not_know_is_no_drift() -> None:
    """`llm_provider` came later: it is sent to new agents, and missed at no old one."""
    assert not changed({"llm_provider": "user"}, {"name": "nora"})
    assert changed({"llm_provider": "user"}, {"llm_provider": "openai"})
    assert changed({"llm_provider": "user"}, {})


def test_no_capability_is_in_a_difference_and_a_renewed_one_is_seen() -> None:
    """Two endpoints that differ in nothing but their capability are told apart in words."""
    for other in (endpoint("nora", generation=1), endpoint("nora", "https://two.example.org")):
        change = plan("nora", actual=[at_simli("a1", "nora", llm_endpoint=other)]).plan.changes[0]
        said = change.differences[0]
        assert said.now != said.wanted and f"/k/{ID}.…/agents/nora/" in said.now and f"/k/{ID}.…/agents" in said.wanted
        assert not any(capability("s" * 32, "nora", number) in repr(change) for number in (0, 1))


def test_the_order_is_create_update_delete() -> None:
    """So that nothing is gone before what takes its place is there; the unchanged are told last."""
    actual = [at_simli("a1", "emil"), at_simli("a2", "nora", face_id="g"), at_simli("a3", "gone")]
    found = plan("ann", "emil", "nora", actual=actual, prune=True)
    assert told(found) == [
        ("create", "ann", ""),
        ("update", "nora", "a2"),
        ("delete", "gone", "a3"),
        ("unchanged", "emil", "a1"),
    ]
    assert [step.change.action for step in found.steps] == ["create", "update", "delete"]
    assert found.steps[0].fields == body("ann")


def test_what_no_file_asks_for_stays_until_it_is_pruned() -> None:
    """It is said, and it is no change."""
    found = plan("nora", actual=[at_simli("a1", "nora"), at_simli("a2", "gone")])
    assert told(found) == [("unchanged", "nora", "a1"), ("unchanged", "gone", "a2")] and not found.steps
    assert found.plan.changes[1].unwanted and "--prune" in found.plan.changes[1].warnings[0]
    pruned = plan("nora", actual=[at_simli("a1", "nora"), at_simli("a2", "gone")], prune=True)
    assert [step.change.id for step in pruned.steps] == ["a2"]


def test_an_agent_without_a_face_is_not_registered() -> None:
    """It is named; where it had a face before, its agent at Simli is one that --prune deletes."""
    found = plan("nora", actual=[at_simli("a1", "nora"), at_simli("a2", "mute")], faceless=["mute", "text"])
    assert found.plan.faceless == ("mute", "text") and not found.steps
    assert "face_id" in found.plan.changes[1].warnings[0] and found.plan.changes[1].unwanted


def test_an_agent_whose_file_is_broken_stays_even_if_pruned() -> None:
    """Nobody knows what is wanted of it."""
    found = plan("nora", actual=[at_simli("a1", "nora"), at_simli("a2", "torn")], prune=True, broken=["torn"])
    assert told(found) == [("unchanged", "nora", "a1"), ("unchanged", "torn", "a2")] and not found.steps


def test_of_two_for_one_file_the_older_stays_without_prune_too() -> None:
    """The younger is what a kill between creation and answer left; it is said why it goes."""
    actual = [at_simli("a1", "nora"), at_simli("a2", "nora", created_at="2026-11-23T10:00:00Z", face_id="g")]
    found = plan("nora", actual=actual)
    assert told(found) == [("update", "nora", "a2"), ("delete", "nora", "a1")]
    assert "older" in found.plan.changes[1].warnings[0] and not found.plan.changes[1].unwanted
    assert told(plan(actual=actual)) == [("delete", "nora", "a1"), ("unchanged", "nora", "a2")]
    assert told(plan(actual=actual, prune=True)) == [("delete", "nora", "a1"), ("delete", "nora", "a2")]


def test_strangers_are_counted_and_their_names_are_theirs() -> None:
    """An agent of the same name with no endpoint of ours, another gateway's, one that nobody serves."""
    other = endpoint("nora", id_="fedcba9876543210")
    actual = [at_simli(f"s{n}", "nora", llm_endpoint=each) for n, each in enumerate(["", other, "https://x.org/v1"])]
    found = plan("nora", actual=actual, prune=True)
    assert told(found) == [("create", "nora", "")] and found.plan.unowned == 3
    assert [warning[:40] for warning in found.plan.changes[0].warnings] == [
        "Simli has another agent of this name, s" + str(n) for n in range(3)
    ]


def test_a_voice_that_the_file_does_not_name_any_more_is_said() -> None:
    """Simli has no way to take it off."""
    found = plan("nora", actual=[at_simli("a1", "nora", voice_provider="cartesia", voice_id="v1", voice_model="")])
    assert not found.steps
    assert found.plan.changes[0].warnings == (
        "Simli has voice_provider cartesia, voice_id v1, and the file gives none: that stays",
    )


NAMES = st.sampled_from(["ann", "ben", "cara"])
ACCOUNTS = st.lists(
    st.tuples(NAMES, st.sampled_from(["ours", "moved", "foreign", "other gateway"]), st.sampled_from(["f", "g"])),
    max_size=6,
)


def account(rows: list[tuple[str, str, str]]) -> dict[str, dict[str, Any]]:
    """Agents at Simli by id: ours, ours at another URL, somebody's, another gateway's."""
    endpoints: dict[str, Callable[[str], str]] = {
        "ours": endpoint,
        "moved": lambda name: endpoint(name, "https://old.example.org"),
        "foreign": lambda _: "https://api.example.org/v1/chat/completions",
        "other gateway": lambda name: endpoint(name, id_="fedcba9876543210"),
    }
    return {
        f"a{number}": dict(at_simli(f"a{number}", name, face_id=face, llm_endpoint=endpoints[kind](name)).fields)
        for number, (name, kind, face) in enumerate(rows)
    }


@given(ACCOUNTS, st.sets(NAMES), st.booleans(), st.integers(0, 8))
def test_a_plan_that_is_cut_short_anywhere_still_leads_to_what_is_wanted(
    rows: list[tuple[str, str, str]], names: set[str], prune: bool, cut: int
) -> None:
    """Whatever there is: some steps, a new plan, all its steps, and nothing is left to do; strangers never change."""
    simli = account(rows)
    strangers = {id_: dict(simli[id_]) for id_, row in zip(simli, rows, strict=True) if row[1] not in ("ours", "moved")}

    def planned() -> Drawn:
        return plan(*sorted(names), actual=[SimliAgent(i, one["name"], one) for i, one in simli.items()], prune=prune)

    for steps in (planned().steps[:cut], None):
        for step in planned().steps if steps is None else steps:
            if step.change.action == "delete":
                del simli[step.change.id]
            else:
                id_ = step.change.id or f"new{len(simli)}{step.change.agent}"
                simli[id_] = {"created_at": "2026-11-25T10:00:00Z", **simli.get(id_, {}), **step.fields}
    assert not planned().steps
    assert {id_: simli[id_] for id_ in strangers} == strangers
    ours = sorted(one["llm_model"] for id_, one in simli.items() if id_ not in strangers)
    left = set() if prune else {row[0] for row in rows if row[1] in ("ours", "moved")}
    assert ours == sorted(names | left)
