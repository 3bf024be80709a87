"""`python -m tests.load.locusts`: Locust puts the load on. It reads its plan as JSON from standard input.

Each person is a user of Locust's that holds conversations over a connection of its own, in a greenlet. Locust's shape
asks every second how many there are to be, and that is where a step is opened, closed and judged. Written are Locust's
own report (`locust.html`) and what each step came to (`steps.json`).

A request counts in Locust's statistics with the time to its first words, or until it was over where there were none.
"""

import json
import random
import resource
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import gevent
import locust
import orjson
from geventhttpclient import HTTPClient
from geventhttpclient.response import HTTPParseError, HTTPSocketPoolResponse
from locust.env import Environment
from locust.html import get_html_report
from locust.stats import stats_history

from tests.load.agreeing import compared
from tests.load.knee import following
from tests.load.listening import Heard, Hearing
from tests.load.plan import ARRIVING, Plan
from tests.load.steps import Kind, Step, Window, measured
from tests.load.terminal import HEAD, line
from tests.load.traffic import TURNS, Ask, Conversation, Turn, body, cycle

PATIENCE = 20.0
"""Seconds that a person waits for an answer to end."""
AFTER_FAULT = 1.0
"""Seconds at least between an answer that failed and the next question."""
BEAT = 0.05
"""Seconds between two looks at the clock."""
SCRAPE = 10.0
"""Seconds in which /metrics has to answer."""


class Left(Exception):
    """The person speaks over the answer."""


class Running:
    """The run: what is measured now, and which step is taken."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.window = Window()
        self.steps: list[Step] = []
        self.people = 0
        self.requests = 0
        self._users = plan.users[0]
        """That there are to be now."""
        self._opened: tuple[float, float, str] | None = None
        self._until = plan.warming(0, self._users)

    def note(self, kind: Kind, heard: Heard) -> None:
        """A request has ended."""
        self.requests += 1
        self.window.note(kind, heard)

    def watch(self) -> None:
        """Look at the clock, for ever."""
        while True:
            due = time.perf_counter() + BEAT
            gevent.sleep(BEAT)
            self.window.late.append(time.perf_counter() - due)

    def tick(self, at: float) -> tuple[int, float] | None:
        """How many people there are to be, and how many come or go in a second; None: it is over."""
        if at >= self._until:
            if self._opened is None:
                self._open()
                self._until = at + self.plan.seconds
            else:
                self._close()
                users = following(self.steps, self.plan.users, self.plan.halvings)
                if users is None or self.requests >= self.plan.requests:
                    return None
                self._until = at + self.plan.warming(self._users, users)
                self._users = users
        return self._users, ARRIVING

    def _open(self) -> None:
        scraped = fetched(self.plan.metrics, self.plan.key)
        fetched(self.plan.model)
        self.window = Window()
        self._opened = (time.perf_counter(), time.process_time(), scraped)

    def _close(self) -> None:
        assert self._opened is not None
        window, (began, used, before) = self.window, self._opened
        after = fetched(self.plan.metrics, self.plan.key)
        self.window, self._opened = Window(), None
        seconds = time.perf_counter() - began
        stats = json.loads(fetched(self.plan.model) or "{}")
        busy = (time.process_time() - used) / seconds
        step = measured(self._users, seconds, window, busy, float(stats.get("late_ms", 0.0)))
        if before and after:
            step.agreements, step.unmeasured = compared(before, after, window.all_firsts, window.all_wholes)
        else:
            step.unmeasured = "/metrics is not there for this key."
        self.steps.append(step)
        print(line(step), flush=True)


def fetched(url: str, key: str = "") -> str:
    """A page; empty where there is none."""
    if not url:
        return ""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SCRAPE) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except OSError:
        return ""


class Steps(locust.LoadTestShape):
    """Asks the run."""

    def __init__(self, running: Running) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Locust writes no types here, nor in the next ones
        self._running = running

    def tick(self) -> tuple[int, float] | None:
        return self._running.tick(self.get_run_time())  # type: ignore[no-untyped-call]


class Person(locust.User):
    """One person, one conversation after another."""

    running: ClassVar[Running]

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        plan = self.running.plan
        own = self.running.people
        self.running.people += 1
        self._chance = random.Random(own)
        self._phase = own * 0.618 % 1  # evenly spread, however many there are
        self._model, self._language = plan.models[own % len(plan.models)]
        self._url = f"{plan.url}/chat/completions"
        self._headers = {"content-type": "application/json", "user-agent": "gateway-load"}
        if plan.key:
            self._headers["authorization"] = f"Bearer {plan.key}"
        self._client = HTTPClient.from_url(plan.url, connection_timeout=5.0, network_timeout=PATIENCE)
        self._joins = True

    def on_stop(self) -> None:
        self._client.close()

    @locust.task
    def converse(self) -> None:
        """One conversation. The first one begins somewhere in its midst, each person's at a time of its own."""
        joined = 0
        if self._joins:
            self._joins = False
            joined = self._chance.randrange(round(TURNS.middle))
            gevent.sleep(self._phase * cycle())
        conversation = Conversation(self._chance, self._language, joined=joined)
        if not joined:
            self._pause(conversation.heard(self._asked("greeting", conversation.greeting())))
        while conversation.left:
            self._turned(conversation, conversation.turn())

    def _turned(self, conversation: Conversation, turn: Turn) -> None:
        *versions, whole = turn.asks
        for version in versions:
            asked = time.perf_counter()
            self._asked("version", version)
            gevent.sleep(max(0.0, version.leave_after - (time.perf_counter() - asked)))
        heard = self._asked("question", whole, turn.over)
        self._pause(conversation.heard(heard, turn.over), failed=heard.ending not in ("finish", "gone"))

    def _pause(self, seconds: float, *, failed: bool = False) -> None:
        gevent.sleep(max(seconds, AFTER_FAULT) if failed else seconds)

    def _asked(self, kind: Kind, ask: Ask, over: float = float("inf")) -> Heard:
        """One request, heard to its end, or until the person speaks over it or a longer version follows."""
        heard = Heard()
        leaves = min(PATIENCE, ask.leave_after)
        content = orjson.dumps(body(self._model, ask))
        began = time.perf_counter()
        try:
            with gevent.Timeout(leaves):
                response = self._client.post(self._url, content, self._headers)
                try:
                    followed(response, heard, began, over)
                finally:
                    response.release()
        except gevent.Timeout:
            heard.ending = "gone" if leaves < PATIENCE else "hung"
        except Left:
            heard.ending = "gone"
        except (OSError, HTTPParseError) as error:
            heard.ending, heard.why = "bare" if heard.status else "unreachable", repr(error)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            heard.ending, heard.why = "bare", repr(error)
        heard.seconds = time.perf_counter() - began
        self.running.note(kind, heard)
        self._counted(kind, heard)
        return heard

    def _counted(self, kind: Kind, heard: Heard) -> None:
        """For Locust's own statistics."""
        good = heard.ending in ("finish", "gone") and not heard.incomplete
        self.environment.events.request.fire(
            request_type="POST",
            name=f"{kind} to {self._model}",
            response_time=(heard.first if heard.text else heard.seconds) * 1000,
            response_length=len(heard.text),
            exception=None if good else RuntimeError(f"{heard.ending} {heard.status} {heard.code}"),
            context={},
        )


def followed(response: HTTPSocketPoolResponse, heard: Heard, began: float, over: float) -> None:
    """Read an answer event by event. Raises Left when the person speaks, ValueError and the like where it is none."""
    heard.status = response.status_code
    if heard.status != 200:
        heard.code = str(orjson.loads(response.read())["error"]["code"])
        heard.ending = "refused"
        return
    if not str(response.get("content-type", "")).startswith("text/event-stream"):
        raise ValueError(f"No stream of events: {response.get('content-type')}.")
    hearing = Hearing(heard, strict=True)
    while event := response.readline(b"\n\n"):
        at = time.perf_counter() - began
        for row in event.split(b"\n"):
            if row.startswith(b"data:"):
                hearing.event(row[5:].strip(), at)
        if heard.text and at - heard.first > over:
            raise Left
    if rest := response.read():
        raise ValueError(f"The body ends inside an event: {rest!r}")
    hearing.over()


def run(plan: Plan) -> Running:
    """Take the steps, and write what came of them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection a person
    running = Running(plan)
    Person.running = running
    environment = Environment(user_classes=[Person], shape_class=Steps(running), host=plan.url)
    runner = environment.create_local_runner()
    beside = [gevent.spawn(stats_history, runner), gevent.spawn(running.watch)]
    try:
        runner.start_shape()
        assert runner.shape_greenlet is not None
        runner.shape_greenlet.join()
        report = get_html_report(environment, show_download_link=False)  # type: ignore[no-untyped-call]
    finally:
        gevent.killall(beside)
        runner.quit()
    folder = Path(plan.folder)
    (folder / "locust.html").write_text(report, "utf-8")
    written: Mapping[str, object] = {
        "steps": [step.as_json() for step in running.steps],
        "requests": running.requests,
        "people": running.people,
    }
    (folder / "steps.json").write_text(json.dumps(written, indent=1, allow_nan=False) + "\n", "utf-8")
    return running


def main() -> int:
    """Read the plan and carry it out."""
    plan = Plan.heard(sys.stdin.read())
    print(HEAD, flush=True)
    run(plan)
    return 0


if __name__ == "__main__":
    sys.exit(main())
