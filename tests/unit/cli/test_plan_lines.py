"""gateway/cli/plan_lines.py: what a plan looks like on a terminal of 80 columns."""

import io

import pytest
from rich.console import Console

from gateway.cli.plan_lines import of_done, of_list, of_plan, sum_of, sum_of_plan
from gateway.errors import Fault
from gateway.orchestration.agency import Listed
from gateway.types.orchestration import Applied, Change, Difference, Plan

LONG = "Welcome, and sit down by the fire. " * 4
ENDPOINT = "/k/0123456789abcdef.…/agents/emil/v1/chat/completions"
WHOLE = Plan(
    (
        Change(
            "create", "nora", "", (Difference("name", "", "nora"), Difference("first_message", "", LONG)), ("mind it",)
        ),
        Change(
            "update",
            "emil",
            "3c90c3cc-0d44-4b50-8888-8dd25736052a",
            (
                Difference("max_idle_time", "300", "120"),
                Difference("prompt", "", "two words"),
                Difference("first_message", LONG * 3 + "Old.", LONG * 3 + "New."),
                Difference("llm_endpoint", f"https://one.example.org{ENDPOINT}", f"https://two.example.org{ENDPOINT}"),
            ),
        ),
        Change("delete", "gone", "a3", unwanted=True),
        Change("unchanged", "ann", "a4"),
        Change("unchanged", "left", "a5", warnings=("no agent file asks for it; --prune deletes it",), unwanted=True),
    ),
    unowned=2,
    faceless=("text",),
)


def text(plan: Plan) -> str:
    return "\n".join(str(line) for line in of_plan(plan, "https://api.simli.ai"))


def test_a_plan_reads_as_infrastructure_people_know_it() -> None:
    """A sign and a verb an agent, its fields now and wanted, those that stay with a reason only, and the sum."""
    assert (
        text(WHOLE)
        == """At https://api.simli.ai:

  + create nora
      name: nora
      first_message: "Welcome, and sit down by the fire. Welcome, and sit down …
      ! mind it

  ~ update emil (3c90c3cc-0d44-4b50-8888-8dd25736052a)
      max_idle_time: 300 -> 120
      prompt: "" -> "two words"
      first_message: "…y the fire. Old." -> "…y the fire. New."
      llm_endpoint:
           https://one.example.org/k/0123456789abcdef.…/agents/emil/v1/chat/
           completions
        -> https://two.example.org/k/0123456789abcdef.…/agents/emil/v1/chat/
           completions

  - delete gone (a3)

    left (a5)
      ! no agent file asks for it; --prune deletes it

Not registered, for want of a face_id: text.
Plan: 1 to create, 1 to update, 1 to delete, 2 unchanged (1 that --prune would
      delete); 2 agents of others stay as they are."""
    )
    assert max(map(len, text(WHOLE).splitlines())) <= 80


def test_faults_are_said_and_that_nothing_will_be_done() -> None:
    """Each with its file; the plan of the others stays readable."""
    said = text(Plan((), (Fault("prompts/nora.md", 3, "voice.provider", "Simli's Agents take no playht"),), 1))
    assert "  ! prompts/nora.md:3: voice.provider: Simli's Agents take no playht\n" in said
    assert "1 fault: nothing is applied until that is mended." in said
    assert " ".join(said.split()).endswith("0 unchanged; 1 agent of others stays as it is.")


def test_a_sum_of_nothing_is_short() -> None:
    """Nobody else's agents, nothing to say of them."""
    assert sum_of_plan(Plan(())) == "Plan: 0 to create, 0 to update, 0 to delete, 0 unchanged."


def test_what_was_done_is_said_by_agent_and_in_sum() -> None:
    """An update names its fields; what is left is counted."""
    change = Change("update", "emil", "a1", (Difference("face_id", "f", "g"), Difference("name", "e", "emil")), ("hm",))
    assert [str(line) for line in of_done(change)] == ["  ~ updated emil (a1): face_id, name", "      ! hm"]
    assert sum_of(Applied((change,), "no", "simli_timeout", 3)) == "Applied: 0 created, 1 updated, 0 deleted; 3 left."


def test_a_list_is_a_table_and_counts_what_it_hides() -> None:
    """Names of others are others' text: cut, and without anything that a terminal obeys."""
    rows = [Listed("nora", "a1", "in sync"), Listed("\x1b[2J" + "x" * 60, "a2", "foreign")]
    lines = [str(line) for line in of_list(rows, 1)]
    assert lines[1] == f"{'nora':<28}  in sync    a1" and "\x1b" not in lines[2] and len(lines[2]) < 80
    assert lines[3] == "1 agent of others; --all shows it."
    assert "apply" in str(of_list([], 0)[0])


@pytest.mark.parametrize(("terminal", "coloured"), [(True, True), (False, False)])
def test_colour_is_for_terminals(terminal: bool, coloured: bool) -> None:
    """A pipe gets the bare text, and no line is broken anew."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=40, color_system="standard" if terminal else None)
    for line in of_plan(WHOLE, "x"):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    assert ("\x1b[" in out.getvalue()) is coloured
