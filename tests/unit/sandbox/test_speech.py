"""An answer on its way out of a mouth, without a viewer."""

import asyncio

from gateway.audio.babble import Babble
from gateway.sandbox.avatar.avatar import Avatar
from gateway.sandbox.talk.speech import AHEAD_S, Speech

SENTENCE = "The lamp is lit at dusk, and it burns until the morning. "


async def test_a_long_answer_is_not_made_before_it_is_heard() -> None:
    """Twenty seconds and a sentence are; interrupted, it is silent at once, and only what was begun was heard."""
    avatar = Avatar("a face")
    speech = Speech(avatar, Babble())
    speech.add(SENTENCE * 100)
    speech.finish()
    await asyncio.sleep(0.2)
    assert AHEAD_S - 1 < avatar.waiting < AHEAD_S + 5
    assert speech.heard.startswith("The") and SENTENCE.startswith(speech.heard)
    assert SENTENCE.startswith(speech.break_off().strip()) and avatar.waiting == 0
    await asyncio.sleep(0.05)
    assert avatar.waiting == 0
    avatar.stop()


async def test_what_was_heard_goes_on_behind_what_was_said_before() -> None:
    """A second answer of the same avatar counts from its own first word; heard to the end, it is the whole text."""
    avatar = Avatar("a face")
    for text in ("One, two.", "Three."):
        speech = Speech(avatar, Babble())
        assert speech.heard == ""
        speech.add(text)
        speech.finish()
        await speech.over()
        assert speech.heard == text
    avatar.stop()


async def test_without_a_viewer_all_counts_as_heard() -> None:
    """At once, and nothing is made of it."""
    speech = Speech(None, Babble())
    speech.add("One, two")
    assert speech.heard == "One, two"
    await speech.over()
