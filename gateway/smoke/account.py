"""What a sandbox's room tells of its turns: moments and words that are shown, and prove nothing by themselves."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.smoke.evidence import Call
from gateway.smoke.scene import Scene
from gateway.types.smoke import Moments

BEFORE_S = 1.0
"""The avatar may have noticed a person so much before we say that they began."""
STATE_S = 2.0
"""For the room to have finished a turn that was heard to its end."""
LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Account:
    """Of one room."""

    scene: Scene
    url: str
    http: httpx.AsyncClient = field(repr=False)

    async def of(self, began: float, *, over: bool) -> Mapping[str, Any]:
        """The turn that was spoken from that moment on, and the room's `ears`; empty: there is none, or no sandbox.

        `over`: it was heard to its end, so that the room has it soon.
        """
        scene = self.scene
        if not scene.place.sandbox:
            return {}
        until = scene.watch.now() + (STATE_S if over else 0.0)
        while True:
            state = await self._state()
            turns = [one for one in state.get("turns", ()) if _spoken(one, scene.epoch + began - BEFORE_S)]
            if turns and (turns[0]["spoken"] or scene.watch.now() > until):
                return {**turns[0], "ears": state.get("ears", "")}
            if scene.watch.now() > until:
                return {"ears": state.get("ears", "")}
            await asyncio.sleep(LOOK)

    async def _state(self) -> Mapping[str, Any]:
        try:
            told = (await self.http.get(f"{self.url}/state.json")).json()
        except (httpx.HTTPError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}


def _spoken(turn: Mapping[str, Any], since: float) -> bool:
    return bool(turn["by"] == "spoken" and turn["at"] >= since)


def moments_of(account: Mapping[str, Any], calls: Sequence[Call], scene: Scene) -> Moments:
    """The room's, where it tells them; else what the gateway recorded of its part."""
    told = {name: at - scene.epoch for name, at in (account.get("moments") or {}).items()}
    if calls and "requested" not in told:
        call = calls[-1]
        told["requested"] = call.at
        spent = call.timings
        if "retrieve" in spent:
            told["retrieved"] = call.at + (spent.get("parse", 0.0) + spent["retrieve"]) / 1000
        if "ttft" in spent:
            told["first_token"] = call.at + spent["ttft"] / 1000
    return Moments(**{name: at for name, at in told.items() if name in Moments.__dataclass_fields__})
