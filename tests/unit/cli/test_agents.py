"""gateway/cli/agents.py"""

import subprocess
import sys

from tests.serving import ROOT

LOOK = "import sys, gateway.cli.agents; print(sorted({'chromadb', 'onnxruntime', 'openai', 'av'} & set(sys.modules)))"


def test_a_command_does_not_pay_for_the_clients_of_a_turn() -> None:
    """`gateway agents` reads files, asks the store and Simli, and loads neither Chroma nor a model for it."""
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
