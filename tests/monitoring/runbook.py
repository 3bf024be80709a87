"""What to do about each alert: `deploy/runbook.md`, whose sections are made of the alerts themselves."""

from collections.abc import Iterator, Mapping

from tests.monitoring import alerts

STEPS: Mapping[str, str] = {
    "Answers": """\
1. Panel How turns end: `upstream_error` and `incomplete_spoken` are targets; `gateway_error` is a fault in the gateway,
   whose stack is in the log. Who hung up after two silent seconds is in the panel Hang-ups.
2. Panel Attempts: which target fails, and with which code. `upstream_auth_failed` is a key, `rate_limit_exceeded` a
   quota, `upstream_timeout` a target that is too slow for its `first_token`.
3. `gateway check` asks every target and says what is wrong with it. Until that is mended, put another target into the
   route and reload (SIGHUP).
4. Panel Errors, `overloaded`: more processes (`[server] workers`), or a higher `[limits] turns`.
""",
    "FirstWord": """\
1. Panel Where the time goes: search, gateway, or target.
2. A target: `hedge = true` of its route asks a second one when it is slow; a smaller `first_token` goes on to the next
   one sooner; fillers of the agent bridge the wait.
3. Search: the agent's `budget_ms` bounds it; panel Searches shows how often it was spent.
4. The gateway itself: section GatewayLate.
""",
    "Down": """\
1. The process: what its supervisor says, and the log's last line, which says why it ended.
2. It runs, and Prometheus gets 401 or 403: `gateway.key` must hold a key of scope `metrics` that is neither revoked nor
   expired (`gateway keys list`).
3. It starts and ends again: `gateway check` with the same settings and environment names what is in its way.
""",
    "StoreAway": """\
1. Answers go on. Until the store is back each process counts limits by itself and keeps its own last records of turns,
   and no session can be begun.
2. REDIS_URL: is the server there, does it take writes, is its disk or memory full?
3. Without REDIS_URL: the disk under GATEWAY_VAR, and the log's lines about the store.
""",
    "TargetLeftOut": """\
1. Nothing is lost while the route has another target. Where it has none, callers hear the apology, or an error.
2. `gateway check` asks the target. A wrong key or certificate does not pass by itself; after everything else it is
   probed in the background, and asked again as soon as it answers.
""",
    "Stumbling": """\
1. Panel Longest silence within an answer, by agent: one agent alone points to its route.
2. Panel Pace: a target that is slow from token to token has too much to do, or is too large for where it runs.
3. `between_chunks` of the target ends a stalled answer sooner; with `continues` another target goes on with it.
4. All targets at once: the gateway or its network, section GatewayLate.
""",
    "KnowledgeMissing": """\
1. `GET /admin/knowledge` and `gateway check` say why no version is served.
2. `gateway ingest` builds one from the files; until then the collection's agents answer without it.
""",
    "Late": """\
1. Panel Processor: a process uses about one core. More processes (`[server] workers`), or more machines.
2. Until then a lower `[limits] turns` refuses those that would only be late; callers are told to ask again.
3. Cores are idle: what held that process up? The log's lines of that minute say what it did.
""",
}
"""By the alerts' names without `Gateway`; those of one promise share theirs."""

HEAD = """\
# Runbook

What to do about each alert of `prometheus/rules.yml`, the first thing first; the panels are those of
`grafana/gateway.json`. A single turn is found by its request's id: `GET /admin/turns/{request}` says when each step and
attempt began and how long it took, and the log has a line with the same id. Made by `python -m tests.monitoring`.
"""


def document() -> str:
    """The page."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for each in alerts.OBJECTIVES:
        names = ", ".join(f"Gateway{each.name}Burning{burn.name}" for burn in alerts.BURNS)
        says = f"Over thirty days, {each.share * 100:g} % at most {each.says}.\nThis allowance is used up too fast: "
        says += ", ".join(f"{burn.name} is a {burn.severity}" for burn in alerts.BURNS)
        yield f"## {names}\n\n{says}.\n\n{STEPS[each.name]}"
    for state in alerts.STATES:
        says = f"{_plain(state.says)} After {state.after} a {state.severity}."
        yield f"## Gateway{state.name}\n\n{says}\n\n{STEPS[state.name]}"


def _plain(says: str) -> str:
    """Without what Prometheus fills in."""
    for label, name in (("instance", "A gateway"), ("target", "A target"), ("collection", "a collection")):
        says = says.replace(f"{{{{ $labels.{label} }}}}", name)
    return says.replace(" ({{ $value | humanizeDuration }})", "")
