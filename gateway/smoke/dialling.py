"""The program that joins a room of Daily's: `python -m gateway.smoke.dialling ROOM MICROPHONE.wav HEARD.wav SECONDS`.

Its last line is JSON: what `attending.Attended` has. It needs the extra `daily`, which nothing else imports.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import daily

from gateway.smoke.attending import attended


def main(room_url: str, microphone: str, heard: str, seconds: str) -> None:
    """Go there, come back, and tell."""
    came = attended(daily, room_url, Path(microphone), Path(heard), float(seconds))
    print(json.dumps(asdict(came)))  # noqa: T201 it is what the program says


if __name__ == "__main__":
    main(*sys.argv[1:])
