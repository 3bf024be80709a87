"""The commands of deploy/README.md, from a clone to an answer behind TLS, in an overlay over this machine's files.

What cannot be here stands in: for apt-get and certbot a script (the certificate signs itself), for systemd one that
does what the unit says: its commands, environment, state directory, a user that is not root, files that are read-only.
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
from tests.serving import ROOT

NAME = "gateway.example.org"
LIVE = f"/etc/letsencrypt/live/{NAME}"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", (DEPLOY / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
SYSTEMCTL = """#!/bin/sh
set -eu
state=/var/lib/simli-gateway
unit=/etc/systemd/system/simli-gateway.service
told() { sed -n "s/^$1=//p" "$unit"; }
as_told() {
    unshare --mount sh -c '
        echo $$ > /run/simli-gateway.pid
        mount --bind "$0" "$0"
        mount -o remount,bind,ro /
        mount -t tmpfs tmpfs /tmp
        cd "$0"
        exec setpriv --reuid 61234 --regid 61234 --clear-groups --no-new-privs --bounding-set=-all "$@"
    ' "$state" env -i PATH=/usr/bin:/bin $(told Environment) $(cat "$(told EnvironmentFile)") "$@"
}
case "$*" in
    "enable --now simli-gateway")
        install -d -o 61234 -g 61234 -m "$(told StateDirectoryMode)" "/var/lib/$(told StateDirectory)"
        as_told $(told ExecStartPre | sed 's/^-//') || true
        { as_told $(told ExecStart) && ended=$? || ended=$?; echo "$ended" > /run/simli-gateway.status; } \
            > /var/log/simli-gateway.log 2>&1 & ;;
    "reload simli-gateway") MAINPID=$(cat /run/simli-gateway.pid) sh -c "$(told ExecReload)" ;;
    "stop simli-gateway")
        kill "$(cat /run/simli-gateway.pid)"
        while [ ! -e /run/simli-gateway.status ]; do sleep 0.1; done ;;
    "start nginx") nginx ;;
    "reload nginx") nginx -s reload ;;
    *) echo "systemctl $* is not known here" >&2; exit 1 ;;
esac
"""
CERTBOT = f"#!/bin/sh\nmkdir -p {LIVE} && cp /root/given/* {LIVE}/\n"
ALONE = """
ip link set lo up
echo "127.0.0.1 {name}" >> /etc/hosts
export CURL_CA_BUNDLE={live}/fullchain.pem
stopped() {{ nginx -s stop || true; [ -e /run/simli-gateway.status ] || systemctl stop simli-gateway || true; }}
trap stopped EXIT
"""


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
        local = made.upper / "usr" / "local" / "sbin"
        local.mkdir()
        scripts = {"systemctl": SYSTEMCTL, "certbot": CERTBOT, "apt-get": "#!/bin/sh\n"}
        for each, text in scripts.items():
            (local / each).write_text(text)
            (local / each).chmod(0o755)
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


def test_the_page_leads_from_a_clone_to_an_answer_behind_tls(layer: Layer) -> None:
    """Each command as it stands there: an answer from the knowledge, a reload that is survived, a proper end."""
    install, serve = BLOCKS[0].split("systemctl enable")
    clone = {"https://git.example.org/simli-gateway.git": f"file://{ROOT}"}
    run(layer, f"git config --global --add safe.directory '*'\n{replaced(install, clone)}", network=True)
    serve = f"NAME={NAME}\n{ALONE.format(name=NAME, live=LIVE)}\nsystemctl enable{serve}"
    said = run(layer, "\n".join([serve, *BLOCKS[1:4]]), network=False)
    assert '"status":"ok"' in said or '"status":"degraded"' in said
    spoken = "".join(re.findall(r'"content":"([^"]*)"', said))
    assert "boat" in spoken
    assert said.rstrip().endswith("data: [DONE]")
    log = (layer.upper / "var" / "log" / "simli-gateway.log").read_text("utf-8")
    assert "Traceback" not in log
    assert (layer.upper / "run" / "simli-gateway.status").read_text("utf-8") == "0\n"
    assert (layer.upper / "etc" / "simli-gateway" / "environment").stat().st_mode & 0o777 == 0o600
