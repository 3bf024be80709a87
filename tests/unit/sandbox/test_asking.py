"""Bodies and queries against the fields of an operation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.api.asking import Field, against, anything, boolean, integer, number, text, texts

FIELDS = (
    Field("name", required=True),
    Field("count", integer, default=3),
    Field("kind", default="a", choices=("a", "b")),
    Field("inner", fields=(Field("deep", boolean, required=True),)),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(("yes", "no"), [(True, False), ("true", "false"), ("True", "False"), ("1", "0"), (1, 0)])
def test_true_is_written_in_many_ways(yes: object, no: object) -> None:
    """JSON's, Python's, and a one; and their opposites."""
    assert boolean(yes) is True and boolean(no) is False


def test_a_whole_body_is_read() -> None:
    """Defaults are filled in, null is a default, and what nobody knows is named by its place."""
    asked = against({"name": "n", "count": None, "inner": {"deep": "True", "odd": 1}, "other": 2}, FIELDS)
    assert asked.values == {"name": "n", "count": 3, "kind": "a", "inner": {"deep": True}}
    assert asked.faults == ()
    assert set(asked.unknown) == {"inner.odd", "other"}
    assert asked.given == {"name", "count", "inner"}


@pytest.mark.parametrize(
    ("raw", "loc", "kind"),
    [
        ({}, ["body", "name"], "missing"),
        ({"name": None}, ["body", "name"], "string_type"),
        ({"name": "n", "count": "1.5"}, ["body", "count"], "int_parsing"),
        ({"name": "n", "count": True}, ["body", "count"], "int_parsing"),
        ({"name": "n", "count": 10**12}, ["body", "count"], "int_parsing_size"),
        ({"name": "n", "kind": "c"}, ["body", "kind"], "enum"),
        ({"name": "n", "inner": 1}, ["body", "inner"], "model_attributes_type"),
        ({"name": "n", "inner": {}}, ["body", "inner", "deep"], "missing"),
        ({"name": "n", "inner": {"deep": "maybe"}}, ["body", "inner", "deep"], "bool_parsing"),
    ],
)
def test_what_is_wrong_has_a_place_and_a_type(raw: dict[str, Any], loc: list[str], kind: str) -> None:
    """As FastAPI says it."""
    (fault,) = against(raw, FIELDS).faults
    assert (fault["loc"], fault["type"]) == (loc, kind) and fault["msg"]


@given(st.dictionaries(st.sampled_from(["name", "count", "kind", "inner", "x"]), JSON), JSON)
def test_no_json_is_too_odd(raw: dict[str, Any], value: Any) -> None:
    """Whatever comes is read or refused; nothing raises."""
    asked = against(raw, FIELDS)
    assert set(asked.values) == {"name", "count", "kind", "inner"}
    for read in (text, integer, number, boolean, texts, anything):
        against({"name": value}, [Field("name", read)])
