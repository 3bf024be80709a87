"""gateway/observe/trace.py and types/trace.py"""

import re

import pytest

from gateway.observe.trace import continued

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{ID}-{SPAN}-00"


def headers(*parents: str, **states: str) -> list[tuple[bytes, bytes]]:
    found = [(b"host", b"x"), *((b"traceparent", each.encode("latin-1")) for each in parents)]
    return [*found, *((b"tracestate", each.encode("latin-1")) for each in states.values())]


@pytest.mark.parametrize("sent", [SENT, f" {SENT}", f"cc-{ID}-{SPAN}-00", f"cc-{ID}-{SPAN}-00-what-will-be"])
def test_a_callers_trace_goes_on(sent: str) -> None:
    """With its id and flags and a span of the turn's own; a later version is read as far as it is known."""
    trace = continued(headers(sent, first="vendor=opaque,t@other=1"))
    assert (trace.id, trace.parent, trace.flags) == (ID, SPAN, "00")
    assert re.fullmatch("[0-9a-f]{16}", trace.span) and trace.span != SPAN
    assert trace.headers == {"traceparent": f"00-{ID}-{trace.span}-00", "tracestate": "vendor=opaque,t@other=1"}


@pytest.mark.parametrize(
    "sent",
    [
        (),
        ("",),
        (SENT, SENT),
        (SENT.upper(),),
        (f"ff-{ID}-{SPAN}-00",),
        (f"00-{'0' * 32}-{SPAN}-00",),
        (f"00-{ID}-{'0' * 16}-00",),
        (f"00-{ID}-{SPAN}-00-more",),
        (f"00-{ID}-{SPAN}",),
        (f"00-{ID[1:]}-{SPAN}-00",),
        (f"00-{ID}-{SPAN}-0g",),
        (f"00-{ID}-{SPAN}-00\r\nx-evil: 1",),
        (f"cc-{ID}-{SPAN}-00-\xe9",),
    ],
)
def test_what_is_no_trace_begins_one(sent: tuple[str, ...]) -> None:
    """Never an error; what came with it belongs to nobody's trace."""
    trace = continued(headers(*sent, first="vendor=opaque"))
    assert re.fullmatch("[0-9a-f]{32}", trace.id) and trace.id != ID
    assert (trace.parent, trace.flags, trace.state) == ("", "01", "")
    assert trace.headers == {"traceparent": f"00-{trace.id}-{trace.span}-01"}
    assert continued(headers(*sent)).id != trace.id


@pytest.mark.parametrize(
    ("states", "passed"),
    [
        ({"a": "a=1", "b": "b=2"}, "a=1,b=2"),
        ({"a": "a=1, ,b=2"}, "a=1, ,b=2"),
        ({"a": "A=1"}, ""),
        ({"a": "a"}, ""),
        ({"a": "a=1\r\nx-evil: 1"}, ""),
        ({"a": "a=\xe9"}, ""),
        ({"a": ",".join(f"k{number}=1" for number in range(32))}, ",".join(f"k{number}=1" for number in range(32))),
        ({"a": ",".join(f"k{number}=1" for number in range(33))}, ""),
        ({"a": f"a={'x' * 300}"}, ""),
        ({"a": f"a={'x' * 250}", "b": f"b={'x' * 250}", "c": "c=123456"}, ""),
    ],
)
def test_its_state_goes_on_where_it_is_one(states: dict[str, str], passed: str) -> None:
    """Several headers are one; what cannot be passed on by the rules is left out, and the trace goes on without."""
    trace = continued(headers(SENT, **states))
    assert (trace.id, trace.state) == (ID, passed)
