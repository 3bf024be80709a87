"""Which buttons lead into a room."""

import pytest

from gateway.peer.doors import Control, inward


@pytest.mark.parametrize(
    ("names", "pressed"),
    [
        (["Settings", "Join"], "Join"),
        (["Continue", "Join meeting"], "Join meeting"),
        (["Join by phone", "Continue"], "Continue"),
        (["Sign in to join", "Leave", "Cancel"], None),
        (["Allow camera and microphone"], "Allow camera and microphone"),
        (["Mute", "Leave", "Say"], None),
        ([], None),
    ],
)
def test_the_button_that_leads_in_is_chosen_by_its_name(names: list[str], pressed: str | None) -> None:
    """Joining is better than going on; what leads elsewhere is never pressed."""
    found = inward([Control("button", name, number) for number, name in enumerate(names)])
    assert (found.name if found else None) == pressed


def test_what_is_disabled_or_no_button_is_not_pressed() -> None:
    """A grey button is not pressed, nor is a field of that name."""
    assert inward([Control("button", "Join", 1, disabled=True), Control("textbox", "Join as", 2)]) is None
