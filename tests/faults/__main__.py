"""`python -m tests.faults`: write deploy/faults.md; with `--check` say where it differs and what is not proven."""

import argparse
import sys

from tests.faults.table import page, problems, proofs
from tests.serving import ROOT

PAGE = ROOT / "deploy" / "faults.md"


def main() -> int:
    """Write or check; 1 where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="The table of faults.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is not up to date")
    given = parser.parse_args()
    found = proofs(ROOT)
    missing = list(problems(found))
    print(*missing, sep="\n", end="\n" if missing else "")
    if not given.check:
        PAGE.write_text(page(found), "utf-8")
        return 0
    if PAGE.read_text("utf-8") != page(found):
        missing.append("deploy/faults.md is not up to date: python -m tests.faults")
        print(missing[-1])
    print(f"{len(found)} tests, {len({row for proof in found for row in proof.rows})} rows proven")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
