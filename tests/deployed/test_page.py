"""The commands of deploy/README.md, from a clone to a new version behind TLS, in an overlay over this machine's files.

What cannot be here stands in (`tests.deployed.standing`); the certificate signs itself.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.certificate import written
from tests.deploy.proxies import DEPLOY, program, replaced
from tests.deployed.building import Layer, Unbuildable
from tests.deployed.standing import LIVE, LOG, NAME, SCRAPED, STATUS, installed
from tests.serving import ROOT

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (DEPLOY / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
ORIGIN = "/root/origin.git"
CLONED = f"""
git config --global --add safe.directory '*'
git clone --quiet --bare file://{ROOT} {ORIGIN}
"""
NEXT = f"""
git clone --quiet {ORIGIN} /root/next
cd /root/next
sed -i 's/^version = .*/version = "9.9.9"/' pyproject.toml
git -c user.name=somebody -c user.email=somebody@example.org commit --quiet --all --message "The next version"
git push --quiet
"""
SLOW = """
cd /etc/simli-gateway
sed -i '1i default_route = "slow"' service.toml
printf '[[routes.slow.targets]]\\nembedded = "extractive"\\npace = 2.0\\n' >> service.toml
cd /opt/simli-gateway
"""
"""The answer takes as long as somebody would speak."""
ALONE = f"""
ip link set lo up
echo "127.0.0.1 {NAME}" >> /etc/hosts
export CURL_CA_BUNDLE={LIVE}/fullchain.pem
stopped() {{ nginx -s stop || true; [ -e {STATUS} ] || systemctl stop simli-gateway || true; }}
trap stopped EXIT
within() {{
    for _ in $(seq 600); do if eval "$1"; then return; fi; sleep 0.1; done
    echo "not within 60 s: $1" >&2
    exit 1
}}
served() {{ [ "$(grep -c ' serves after ' {LOG})" -ge "$1" ]; }}
"""
CALLERS = 4


@pytest.fixture(scope="module")
def layer() -> Iterator[Layer]:
    """This machine, with the stand-ins."""
    missing = [name for name in ("nginx", "git", "make", "openssl", "ip") if program(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    with tempfile.TemporaryDirectory(prefix="page-") as name:
        try:
            made = Layer(Path(name))
        except Unbuildable as reason:
            pytest.skip(str(reason))
        installed(made.upper)
        given = made.upper / "root" / "given"
        given.mkdir(parents=True)
        written(given, NAME)
        yield made


def run(layer: Layer, script: str, *, network: bool) -> str:
    """Run it as root would; what it printed. Raises AssertionError with everything where a command fails."""
    path = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; set -eu; cd /root"
    command = layer.command(["sh", "-c", f"{path}\n{script}"], writable=True)
    around = [] if network else ["unshare", "--net"]
    ended = subprocess.run(
        [*around, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500, check=False
    )
    assert ended.returncode == 0, f"{script}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    return ended.stdout


def rolled(asked: str, version: str) -> str:
    """The commands of a new version, and callers who listen during the roll: none has heard the end when it begins."""
    pulled, roll = version.split("systemctl kill")
    called = " & ".join(f"( {asked.strip()} > /root/heard-{number} )" for number in range(CALLERS))
    return "\n".join(
        [
            pulled,
            f"{called} &",
            f"within '[ $(grep -l content /root/heard-* | wc -l) -eq {CALLERS} ]'",
            f"systemctl kill{roll}",
            "within 'served 3'",
            "! grep -l DONE /root/heard-* || { echo 'the answers were too short to be a proof' >&2; exit 1; }",
            f"within 'grep -q \"the rolling restart took\" {LOG}'",
            f"within '[ $(cat /root/heard-* | grep -c DONE) -eq {CALLERS} ]'",
        ]
    )


def said(stream: str) -> str:
    """What was spoken in an event stream that ended as it should."""
    assert stream.rstrip().endswith("data: [DONE]")
    assert '"finish_reason":"stop"' in stream
    return "".join(re.findall(r'"content":"([^"]*)"', stream))


def test_the_page_leads_from_a_clone_to_a_new_version_behind_tls(layer: Layer) -> None:
    """Each command as it stands there: an answer from the knowledge, answers that a roll does not cut, a proper end."""
    install, serve = BLOCKS[0].split("systemctl enable")
    ask, version, prometheus, traces = BLOCKS[2], *BLOCKS[4:7]
    clone = {"https://git.example.org/simli-gateway.git": f"file://{ORIGIN}"}
    run(layer, f"{CLONED}{replaced(install, clone)}", network=True)
    begun = f"NAME={NAME}\n{ALONE}{SLOW}\nsystemctl enable{serve}"
    asked = ask[ask.index("curl -sSN") :]
    steps = [
        begun,
        BLOCKS[1],
        ask,
        BLOCKS[3],
        NEXT,
        rolled(asked, version),
        prometheus,
        traces,
        "within 'curl -fs http://127.0.0.1:8000/readyz'",
        "systemctl stop simli-gateway",
    ]
    printed = run(layer, "\n".join(steps), network=False)
    assert '"status":"ok"' in printed or '"status":"degraded"' in printed
    assert "event: end" in printed.partition("[DONE]")[2]
    answer = said(printed[printed.index("data: ") : printed.index("[DONE]") + len("[DONE]")])
    assert "boat" in answer
    for number in range(CALLERS):
        assert said((layer.upper / "root" / f"heard-{number}").read_text("utf-8")) == answer
    assert 'gateway_build_info{version="9.9.9"}' in (layer.upper / SCRAPED.lstrip("/")).read_text("utf-8")
    assert "Traceback" not in (layer.upper / LOG.lstrip("/")).read_text("utf-8")
    assert (layer.upper / STATUS.lstrip("/")).read_text("utf-8") == "0\n"
    assert (layer.upper / "etc" / "simli-gateway" / "environment").stat().st_mode & 0o777 == 0o600
