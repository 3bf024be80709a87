"""What a run does, step by step, told as it happens and kept for the report."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from gateway.errors import GatewayError
from gateway.types.smoke import Step, Verdict


@dataclass(slots=True)
class Doing:
    """A step that is under way; `says` is what it will have found."""

    name: str
    says: str
    verdict: Verdict = "passed"


@dataclass(slots=True)
class Steps:
    """All of them. `began` and `done` are told each one."""

    clock: Callable[[], float]
    """Seconds from the run's beginning."""
    began: Callable[[str, str], None] = lambda _, __: None
    done: Callable[[Step], None] = lambda _: None
    taken: list[Step] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def step(self, name: str, says: str = "") -> AsyncIterator[Doing]:
        """One of them; an error fails it, and goes on."""
        at = self.clock()
        doing = Doing(name, says)
        self.began(name, says)
        try:
            yield doing
        except GatewayError as error:
            doing.verdict, doing.says = "failed", error.message
            raise
        except BaseException:
            if doing.verdict != "failed":
                doing.verdict, doing.says = "failed", f"broken off: {doing.says}".removesuffix(": ")
            raise
        finally:
            step = Step(name, doing.verdict, doing.says, at, self.clock() - at)
            self.taken.append(step)
            self.done(step)

    def skipped(self, name: str, says: str) -> None:
        """One that is not taken, and why."""
        step = Step(name, "skipped", says, self.clock(), 0.0)
        self.taken.append(step)
        self.done(step)


def clock() -> tuple[float, Callable[[], float]]:
    """Now, in seconds since the epoch, and a clock from here on that nobody sets."""
    began = time.perf_counter()
    return time.time(), lambda: time.perf_counter() - began
