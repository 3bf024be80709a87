"""deploy/faults.md is what the tests say of themselves."""

from pathlib import Path

from tests.faults import FAMILIES, LATER, TITLES
from tests.faults.table import Proof, page, problems, proofs

ROOT = Path(__file__).parents[2]
WRITTEN = '''
async def test_u01_s02_the_next_one_answers() -> None:
    """The caller hears
    the next target.

    More for the reader of the test.
    """

def test_without_a_row() -> None:
    """Nothing."""
'''


def test_the_page_is_up_to_date() -> None:
    """What stands in deploy/faults.md is made of the tests as they are: `python -m tests.faults` writes it again."""
    assert (ROOT / "deploy" / "faults.md").read_text("utf-8") == page(proofs(ROOT))


def test_names_and_sentences_are_read(tmp_path: Path) -> None:
    """The ids of a name and the first paragraph of its docstring, without importing anything."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_some.py").write_text(WRITTEN)
    expected = Proof(
        ("U01", "S02"),
        "The caller hears the next target.",
        "tests/test_some.py::test_u01_s02_the_next_one_answers",
    )
    assert proofs(tmp_path) == [expected]


def test_what_is_missing_is_said() -> None:
    """A row without a test, an id without a row and a test without a sentence."""
    found = [Proof(tuple(row for row in TITLES if row != "U09"), "Well.", "a"), Proof(("X99", "N63"), "", "b")]
    assert list(problems(found)) == [
        f"U09 has no test: {TITLES['U09']}",
        "b names X99, which is no row",
        "b says nothing",
    ]


def test_every_row_is_of_a_family_and_of_one_list() -> None:
    """No row is lost on the page, or waits while it is proven here."""
    assert not set(TITLES) & set(LATER)
    assert {row[0] for row in (*TITLES, *LATER)} == set(FAMILIES)
    assert list(TITLES) == sorted(TITLES, key=lambda row: ("UCSN".index(row[0]), row))
