"""A wrong key instead of the right one, wherever it is sent."""

import re
import string

WRONG = 8
"""Characters at the end of a key that are others in the wrong one: what stands before them may say whose it is."""
_CAPABILITY = re.compile(r"(?<=/k/)[^/?#]+")
"""A key or a capability in an address: for callers that can send no header."""
_OTHER = str.maketrans(
    string.ascii_letters + string.digits,
    string.ascii_letters[1:26] + "a" + string.ascii_letters[27:] + "A" + string.digits[1:] + "0",
)


def wrong(key: str) -> str:
    """Another key of the same form; of none, one that nobody gave out."""
    return key[:-WRONG] + key[-WRONG:].translate(_OTHER) if key else "sk-wrong"


def wrong_in(address: str, key: str) -> str:
    """The address with another key or capability where it has one."""
    other = _CAPABILITY.sub(lambda found: wrong(found[0]), address)
    return other.replace(key, wrong(key)) if key else other
