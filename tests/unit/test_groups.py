"""How the tests are dealt to several processes."""

import re
import subprocess
import sys

from tests.conftest import LONGEST, TOGETHER
from tests.serving import ROOT

TWO = ("tests/unit/chat/test_parting.py", "tests/unit/chat/test_moments.py")


def test_each_file_is_taken_by_one_process() -> None:
    """Its fixtures are made once, and its tests never run beside one another."""
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "-p", "no:cacheprovider", *TWO]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    taken = set(re.findall(r"^\[(gw\d)\] .*PASSED (\S+?)::", done.stdout, re.MULTILINE))
    assert done.returncode == 0, done.stdout
    assert sorted(file for _, file in taken) == sorted(TWO)


def test_groups_that_are_named_are_there() -> None:
    """A file that was renamed would be taken by itself, and late."""
    files = [file for files in TOGETHER.values() for file in files]
    files += [name for name in LONGEST if name not in TOGETHER]
    assert [file for file in files if not (ROOT / file).is_file()] == []
