"""What `deploy/capacity.md` says around its tables."""

HEAD = """\
# Capacity

What this gateway was measured to carry, and what follows for more. `make capacity` measures all of it in eight
minutes, on a machine that does nothing else, and writes this page and `capacity.json`, of which it is made: nothing
here is written by hand. A part by itself, with the `.venv/bin/python` that `make setup-dev` makes: `python -m
tests.load.capacity streams` (or `turns`, `memory`, `redis`, `register`, `embedding`, `chroma`), with `--write` to put
it into this page. For other numbers: `python -m tests.load.capacity calculate --sessions 5000 --set answer=20`.

The gateway has one core to itself; the model, the callers and Redis share another. Each word that the model says is
the moment at which it was written, so lateness is exact: callers and model have one clock. Callers bring six turns of
history; the agent knows the sample knowledge."""
STREAMS = """
## Streams on one core

`python -m tests.load.capacity streams`. A voice needs some 3 chunks a second; models say 20, fast ones 100. Routes
have long streams, so that their chunks alone are measured; agents whole turns of 40 chunks (twelve seconds of
speech), asked again at once. A ladder ends with its first rung on which 1 chunk in 100 is over {late:g} ms late, a
stream fails, or a core is full. A rung that does not hold is tried three times, and the best try is shown.
"""
STREAMS_HEAD = (
    *("who, pace", "streams", "chunks a second", "turns a second", "the gateway's core", "late, p50", "late, p99"),
    *("the load's core", "answered by the lexical list alone", "failed"),
)
FULL = """
Calculated from the costs below, a full core carries {route} streams of a route at 20 chunks a second, or {agent} of
an agent whose callers ask again at once. At {share} of it an agent's process has {one} streams at once, and the
autoscaler (`kubernetes/monitoring/scaling.yaml`) adds a pod of one core no later than there. The ladders above were
seen, these are calculated. A process refuses more than 1,000 turns at once (`[limits] turns`), however slow they are.
"""
TURNS = """
## What a turn costs

`python -m tests.load.capacity turns`. Processor time and bytes, at moderate load: of two loads, with answers of 4 and
of 100 chunks, the shares of turns and chunks are calculated. A turn is all but its chunks: reading, the knowledge,
the prompt, asking the model, log, record, metrics.
"""
TURNS_HEAD = (
    *("", "a turn", "a chunk", "bytes asked", "to the model", "a chunk from the model", "a chunk to the caller"),
    "an answer besides",
)
WIRE = """
A word of speech is {chunks:g} chunks, so {heard} bytes to the caller and {told} from the model: each chunk names its
answer again. Compression would hold chunks back; a proxy must not (`gzip off` in `nginx.conf`).
"""
MEMORY = """
## Memory

`python -m tests.load.capacity memory`. Resident memory of one process, while streams are held that have begun; the
model of embeddings is in it.
"""
CONNECTIONS = """
A stream has two connections, the caller's and the model's, and both are kept for the next turn: as many models'
connections are open as there were streams at once within the last 55 s.
"""
REGISTER = """
Every process has all keys at hand, so that no turn waits for them, and reads those that are made or revoked.
`python -m tests.load.capacity register`: with {keys} keys, {kilobytes} kB of memory a key in each process, and {change}
ms of its processor for each change. All are read every five minutes, or where the store was away: {all} µs a key,
{seconds} s at that number. The snapshot on disk is written once a minute at most for sessions: {saved} µs a key.
Sessions that the gateway starts have a key each, which is remembered for ten minutes after it has expired.
"""
REDIS = """
## Redis

`python -m tests.load.capacity redis`. One turn of an agent, of some 20 at once (a process writes the records of turns
that end together in one go); what Redis does where nobody asks is subtracted. Commands within scripts count; a read
is a round trip. The processor time is that of Redis' process, with its append-only file.
"""
REDIS_HEAD = ("a turn", "commands", "reads", "Redis' processor", "bytes in", "bytes out", "of which (a call)")
SIZES = """
In Redis' memory: a session's record {session} bytes, a turn's words in it {words}, a record among the last turns
{record}, a key {key}. A session's record and words are kept for `[store] kept_days`.
"""
KNOWLEDGE = """
## Knowledge

`python -m tests.load.capacity embedding` and `chroma`. A question of {tokens} tokens becomes a vector in {ms} ms of
one thread; two threads on all cores make {two} a second. Then Chroma finds the 15 nearest of one collection, asked by
two threads of one process: in that process, or in a server of its own. Vectors are synthetic, in 200 clusters.
"""
KNOWLEDGE_HEAD = ("passages", "Chroma", "searches a second", "p50", "p99", "processor a search", "memory")
CALCULATION = """
## The calculation

A session is a conversation: a question every {cycle} s, an answer of {chunks} chunks, and a stream open for {stream}
s of it, since models are faster than speech. What nobody measured is assumed:
"""
NEEDS = """
In the busiest second of the peak, where every session was started by the gateway and is written down:
"""
NEEDS_BY_SIMLI = """
What differs where Simli starts the sessions, of agents that `gateway agents apply` registered (`launched` = 0): they
call by a capability and have no key.
"""
NEEDED = (
    ("turns, and calls of the model, a second", "turns"),
    ("streams open", "streams"),
    ("chunks a second", "chunks"),
    ("cores of gateways", "cores"),
    ("pods", "pods"),
    ("gigabytes of gateways", "memory"),
    ("Redis: cores", "redis"),
    ("Redis: commands a second", "commands"),
    ("Redis: Mbit/s", "redis_mbit"),
    ("Redis: gigabytes", "kept"),
    ("session keys in each process", "keys"),
    ("gigabytes of them in each process", "keys_memory"),
    ("cores of Chroma servers", "chroma"),
    ("Mbit/s out, to callers and models", "out_mbit"),
    ("Mbit/s in", "in_mbit"),
    ("tokens a minute into models", "tokens_in"),
    ("tokens a minute out of models", "tokens_out"),
    ("sessions begun a second", "starts"),
)
"""Rows of the tables of needs, and the fields of `Needs`."""
LIMITS = """
## What breaks first

Sessions at once from which on each thing is at its end, the nearest first; and whether settings or more machines
help.
"""
LIMITS_HEAD = ("sessions", "started by Simli", "what", "what one does", "settings or machines help")
CELLS = """
**Beyond one Redis: fleets.** Gateways that share one Redis are a fleet, and one fleet carries {cell} sessions that
Simli starts. A million are {fleets} fleets, each with its own Redis, its own `GATEWAY_PUBLIC_URL` and its own agents
at Simli: a session belongs to the fleet whose URL its agent has, and nothing has to know of another fleet. Keys,
limits and lists are a fleet's own then.
"""
THEORY = """
## What is theory

- One core of one gateway process, one Redis and one Chroma were measured, on one machine. That n processes do n times
  as much is assumed: they share nothing on a turn's path but Redis, which is counted. No more than two cores were
  there to see it.
- Between a gateway and its Redis or model there was no network. Redis costs a turn no time while limits are unset;
  with limits a turn waits for one round trip. Records and words are written one after another, so a process writes no
  faster than its round trips: at 1 ms a thousand a second, of which a full core's turns want a few hundred.
- TLS ends at a proxy, which is not counted: `make proxies` measures what it adds to a turn's time; measure your
  proxy's cores.
- Models are the larger bill by far. What the table says of calls and tokens is beyond any usual account: ask for
  tokens and requests a minute, and give routes several targets.
- Simli's limits are its own, and not published: ask for sessions at once, sessions begun a minute (it answers 429),
  and what an idle session bills. `[simli] sessions` keeps a fleet below what you were given.
- Signals (a key revoked, a reload) go to every process by one channel: rare, and cheap. A feed of turns
  (`/admin/turns` as events) is sent every turn: one or two are looked at, not one for each process.
- A limit that all callers share (`rate` of an agent) is one key of one Redis, whatever its number: it holds for one
  fleet.
"""
MEASURED = """\
## Measured
"""
