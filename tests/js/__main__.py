"""`python -m tests.js`: scripted upstream, gateway process, and the JavaScript clients before it.

Needs node, and `npm ci` in this folder (make contract-js does it).
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from tests.serving import gateway_process
from tests.upstream import Script, scripted

HERE = Path(__file__).parent
WORDS = ["Grüß", " Gott,", " the", " light", " is", " on. ", "𝄞"]
CONFIG = """
prompts = "{prompts}"
default_route = "up"
[[routes.up.targets]]
url = "{upstream}"
model = "scripted"
"""
AGENT = """---
name: {name}
language: en
stream: {stream}
apology: Sorry.
unknown: I do not know.
---
You are {name}.
"""


async def run(node: str, prompts: str) -> int:
    """Run the clients; their exit status."""
    async with scripted(Script(WORDS)) as upstream:
        with gateway_process(CONFIG.format(prompts=prompts, upstream=upstream.url)) as gateway:
            called = ["contract.mjs", f"{gateway.url}/v1", "up", "voice", "desk", "".join(WORDS)]
            client = await asyncio.create_subprocess_exec(node, *called, cwd=HERE)
            async with asyncio.timeout(120):
                return await client.wait()


def main() -> int:
    """Write two agents, start everything, run the clients."""
    # The newest clients want node 22, which npm itself brings; what starts npm may be older.
    node = shutil.which("node", path=str(HERE / "node_modules" / ".bin"))
    if node is None:
        print("Needs `npm ci` in tests/js.", file=sys.stderr)  # noqa: T201 a program's message
        return 2
    with tempfile.TemporaryDirectory() as place:
        for name, stream in (("voice", "true"), ("desk", "false")):
            Path(place, f"{name}.md").write_text(AGENT.format(name=name, stream=stream), encoding="utf-8")
        return asyncio.run(run(node, place))


if __name__ == "__main__":
    sys.exit(main())
