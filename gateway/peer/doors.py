"""The way into a room whose page asks first: a name, a button or two; pressed is what is there, by accessible name."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway.peer.devtools import Page

STEPS = 12
"""Looks at the page, and so presses at most."""
PAUSE_S = 1.0
"""Seconds from one to the next: a page needs some to become another."""
NAME = "Visitor"
ASKED = re.compile(r"\bname\b", re.IGNORECASE)
"""What a field is called that wants one."""
INWARDS = (
    re.compile(r"\b(join|enter|go in)\b", re.IGNORECASE),
    re.compile(r"\b(allow|accept|agree|continue|next|start|ok|got it|skip|not now|dismiss)\b", re.IGNORECASE),
)
"""Names of buttons that lead into a room, the better ones first."""
ELSEWHERE = re.compile(r"\b(phone|dial|sign|log ?in|leave|cancel|end|report|app|settings|learn)\b", re.IGNORECASE)
"""And of such that lead elsewhere, whatever else is in their name."""


@dataclass(frozen=True, slots=True)
class Control:
    """Something on a page that can be used."""

    role: str
    name: str
    node: int
    value: str = ""
    disabled: bool = False


async def entered(
    page: Page, inside: Callable[[], Awaitable[bool]], *, steps: int = STEPS, pause_s: float = PAUSE_S
) -> tuple[bool, list[str]]:
    """Whether it got in, and what was done for it, in words. Raises Failed."""
    done: list[str] = []
    tried: set[str] = set()
    for _ in range(steps):
        if await inside():
            return True, done
        fields = [one for one in await _controls(page) if one.role == "textbox" and ASKED.search(one.name)]
        for field in fields:
            if not field.value and field.name not in tried:
                tried.add(field.name)
                await _typed(page, field)
                done.append(f"wrote a name into “{field.name}”")
        if button := inward([one for one in await _controls(page) if one.name not in tried]):
            tried.add(button.name)
            await _pressed(page, button)
            done.append(f"pressed “{button.name}”")
        await asyncio.sleep(pause_s)
    return await inside(), done


def inward(controls: list[Control]) -> Control | None:
    """The button that leads furthest into the room, or None."""
    buttons = [one for one in controls if one.role in {"button", "link"} and not one.disabled]
    wanted = [one for one in buttons if not ELSEWHERE.search(one.name)]
    return next((one for kind in INWARDS for one in wanted if kind.search(one.name)), None)


async def _controls(page: Page) -> list[Control]:
    """What is on the page for somebody who does not see it."""
    tree = await page.call("Accessibility.getFullAXTree")
    return [control for node in tree["nodes"] if not node.get("ignored") and (control := _control(node))]


def _control(node: dict[str, Any]) -> Control | None:
    role = node.get("role", {}).get("value", "")
    if role not in {"button", "link", "textbox"} or "backendDOMNodeId" not in node:
        return None
    states = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
    name, value = (str(node.get(key, {}).get("value", "")).strip() for key in ("name", "value"))
    return Control(role, name, node["backendDOMNodeId"], value, disabled=bool(states.get("disabled")))


async def _typed(page: Page, control: Control) -> None:
    await page.call("DOM.focus", backendNodeId=control.node)
    await page.call("Input.insertText", text=NAME)


async def _pressed(page: Page, control: Control) -> None:
    found = await page.call("DOM.resolveNode", backendNodeId=control.node)
    press = "function () { this.click(); }"
    await page.call(
        "Runtime.callFunctionOn", functionDeclaration=press, objectId=found["object"]["objectId"], userGesture=True
    )
