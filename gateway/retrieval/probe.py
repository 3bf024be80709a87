"""Opens the version in the directory that is named on the command line and looks every passage up.
See trial.py."""

import json
import sys
from pathlib import Path

from gateway.errors import KnowledgeError
from gateway.retrieval import contents, dense
from gateway.retrieval.versions import DESCRIPTION, Version


def probe(path: Path) -> None:
    """Raise KnowledgeError where a passage is not found by its own vector."""
    version = Version(**json.loads((path / DESCRIPTION).read_text("utf-8")))
    opened = contents.load(path, version)
    try:
        lost = dense.unreachable(opened.dense, opened.vectors)
    finally:
        opened.close()
    if lost:
        named = ", ".join(sorted({opened.passages[opened.owners[row]].id for row in lost})[:3])
        raise KnowledgeError(f"{len(lost)} of {len(opened.owners)} vectors are not found by themselves: {named}")


def main() -> int:
    """The child's whole life."""
    try:
        probe(Path(sys.argv[1]))
    except KnowledgeError as error:
        sys.stderr.write(error.message + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
