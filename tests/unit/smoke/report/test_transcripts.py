"""Three transcripts beside one another."""

from gateway.smoke.report.transcripts import transcripts
from gateway.types.smoke import SmokeLine
from tests.unit.smoke.report.runs import passed


def person(text: str) -> SmokeLine:
    return SmokeLine("user", text)


def avatar(text: str) -> SmokeLine:
    return SmokeLine("assistant", text)


def test_lines_stand_beside_themselves() -> None:
    """Each line is in one row with the same line of the others, however it was heard, in the order of the talk."""
    smoke = passed()
    found = transcripts(smoke.said, [turn.answer for turn in smoke.turns if turn.interrupted])
    assert found.writers == ("The sandbox", "The gateway", "What was heard")
    assert [row.role for row in found.rows] == ["assistant", *["user", "assistant"] * 3]
    assert all(cell.agreement != "missing" for row in found.rows for cell in row.cells)
    broken_off = found.rows[4].cells[2]
    assert broken_off.agreement == "shorter"


def test_what_only_one_wrote_down_has_its_row() -> None:
    """A line that two of three have is missing at the third, and the lines around it still stand beside themselves."""
    whole = (person("When does it open?"), avatar("It opens at nine."), person("And the lamp?"), avatar("At dusk."))
    found = transcripts({"simli": whole[:1] + whole[2:], "gateway": whole, "recogniser": whole})
    assert [[cell.agreement for cell in row.cells] for row in found.rows] == [
        ["first", "agrees", "agrees"],
        ["missing", "first", "agrees"],
        ["first", "agrees", "agrees"],
        ["first", "agrees", "agrees"],
    ]
    assert (found.complete, found.alike) == (3, 3)


def test_nobody_is_asked_for_a_first_message() -> None:
    """That the gateway has not written it down is no disagreement; that it has not written down an answer is one."""
    said = {
        "recogniser": (avatar("Good evening."), person("When?"), avatar("At nine.")),
        "gateway": (person("When?"),),
        "sandbox": (avatar("Good evening."), person("When?"), avatar("At nine.")),
    }
    found = transcripts(said)
    assert found.writers == ("The sandbox", "The gateway", "What was heard")
    assert [[cell.agreement for cell in row.cells] for row in found.rows] == [
        ["first", "unasked", "agrees"],
        ["first", "agrees", "agrees"],
        ["first", "missing", "agrees"],
    ]
    assert (found.complete, found.alike) == (2, 2)


def test_disagreement_is_marked() -> None:
    """Where the words differ the row is no agreement, and the words that differ are marked."""
    found = transcripts({"sandbox": (avatar("It opens at nine."),), "gateway": (avatar("It opens at five."),)})
    cell = found.rows[0].cells[1]
    assert cell.agreement == "differs"
    assert [run.text for run in cell.runs if run.kind == "other"] == ["five."]
    assert (found.complete, found.alike) == (1, 0)


def test_half_a_line_is_another_line_unless_it_was_broken_off() -> None:
    """Who wrote down less disagrees, but where nobody heard the end of the answer."""
    said = {"sandbox": (avatar("It opens at nine."),), "gateway": (avatar("It opens at nine. Bring a lamp."),)}
    assert transcripts(said).rows[0].cells[1].agreement == "differs"
    found = transcripts(said, ["It opens at nine. Bring a lamp. Bring a friend."])
    assert found.rows[0].cells[1].agreement == "shorter"
    assert found.alike == 1


def test_the_same_words_of_another_are_another_line() -> None:
    """Who said it counts: the person's words are never beside the avatar's."""
    found = transcripts({"sandbox": (avatar("Good evening."),), "recogniser": (person("Good evening."),)})
    assert [[cell.agreement for cell in row.cells] for row in found.rows] == [
        ["first", "missing"],
        ["missing", "first"],
    ]


def test_nothing_written_down_is_nothing() -> None:
    """Empty transcripts are no rows."""
    assert transcripts({}).rows == ()
    assert transcripts({"sandbox": (), "gateway": ()}).rows == ()
