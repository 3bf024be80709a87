"""Where a turn stands in a trace, as W3C Trace Context has it: https://www.w3.org/TR/trace-context/"""

from typing import NamedTuple


class Trace(NamedTuple):
    """A turn's place: the trace, the turn's own span, and whose call it is."""

    id: str
    """32 hexadecimal digits."""
    span: str
    """The turn's own, 16 of them."""
    parent: str = ""
    """The caller's span; empty: the trace begins here."""
    flags: str = "01"
    """Two of them; the last bit: somebody keeps a record of it."""
    state: str = ""
    """`tracestate`, as it came."""

    @property
    def headers(self) -> dict[str, str]:
        """What whoever is asked on the turn's behalf is told."""
        told = {"traceparent": f"00-{self.id}-{self.span}-{self.flags}"}
        if self.state:
            told["tracestate"] = self.state
        return told
