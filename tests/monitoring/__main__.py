"""Write the files anew."""

from tests.monitoring import files
from tests.serving import ROOT

for path, text in files().items():
    (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / path).write_text(text, "utf-8")
