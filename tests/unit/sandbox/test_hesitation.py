"""The avatar holds its breath while a voice may be beginning."""

import math

import pytest

from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.talk.hesitation import AGAIN_S, LONGEST_S, Hesitation

STEP = 0.02
LONGEST = math.ceil(LONGEST_S / STEP)


def paused(avatar: Avatar, hesitation: Hesitation, signs: str) -> str:
    """Whether it pauses, for each 20 ms of signs of a voice."""
    found = ""
    for number, sign in enumerate(signs):
        hesitation.hear(number * STEP, stirs=sign == "x")
        found += "x" if avatar.pauses else "."
    return found


@pytest.mark.parametrize(
    ("signs", "pauses"),
    [
        ("...", "..."),
        ("..xxx...", "..xxx..."),
        ("." + "x" * 20, "." + "x" * LONGEST + "." * (20 - LONGEST)),
        ("x." * 60, "x." + "x." * (LONGEST // 2) + ".." * (59 - LONGEST // 2)),
        ("xx" + "." * round(AGAIN_S / STEP + 1) + "xx", "xx" + "." * round(AGAIN_S / STEP + 1) + "xx"),
        ("xx" + "." * 30 + "xx", "xx" + "." * 32),
    ],
)
async def test_it_pauses_for_a_sign_and_not_for_long(signs: str, pauses: str) -> None:
    """At once, for a quarter of a second at most, and again only after a second without a sign."""
    avatar = Avatar()
    assert paused(avatar, Hesitation(avatar), signs) == pauses
    avatar.stop()


async def test_what_it_was_saying_waits() -> None:
    """While it pauses nothing is used up, for whomever it pauses; then it goes on where it was."""
    avatar = Avatar()
    avatar.play(b"\x00\x10" * 3200)
    one, other = Hesitation(avatar), Hesitation(avatar)
    one.hear(0.0, stirs=True)
    other.hear(0.0, stirs=True)
    one.over()
    waiting = avatar.waiting
    assert avatar.pauses and waiting > 0
    other.over()
    await avatar.drained()
    assert avatar.played == 3200
    avatar.stop()
