"""Does what a Dockerfile says without a builder, in an overlay over this machine's own files: they are the base image.

A stage is the upper layer of an overlay, so its paths are the image's own and everything written lands in a folder. It
needs root, for mounts in a namespace of their own, and a Python of the system's, which others than root can read.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.deploy.dockerfile import Instruction, Stage

PYTHONS = ("/usr/local/bin/python3", "/usr/bin/python3")
SCRIPT = """
set -eu
mount --make-rprivate /
mount -t overlay overlay -o {layers} {root}
mount --bind /dev {root}/dev
mount -t proc proc {root}/proc
{mounts}
exec chroot {root} {command}
"""


class Unbuildable(Exception):
    """This machine cannot stand in for a builder; the message says why."""


def python() -> str:
    """A Python that is like the base image's. Raises Unbuildable."""
    probe = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    for path in PYTHONS:
        if os.access(path, os.X_OK) and subprocess.run([path, "-c", probe], check=False).returncode == 0:
            return path
    raise Unbuildable("no Python 3.11 of the system's with ensurepip is here (apt install python3-venv)")


class Layer:
    """One stage, as far as it was built. `directory` is its own, and on a file system that can carry an overlay."""

    def __init__(self, directory: Path) -> None:
        if os.geteuid() != 0:
            raise Unbuildable("mounts need root")
        self.upper, self.work, self.root = (directory / name for name in ("upper", "work", "root"))
        for each in (self.upper, self.work, self.root):
            each.mkdir(parents=True)
        self.upper.chmod(0o755)
        (self.upper / "usr" / "local" / "bin").mkdir(parents=True)
        (self.upper / "usr" / "local" / "bin" / "python").symlink_to(python())
        self.directory = "/"
        if self.ended(["true"]):
            raise Unbuildable("an overlay cannot be mounted here")

    def command(self, command: Sequence[str], *, writable: bool, mounts: str = "") -> list[str]:
        """What runs this in the stage, in the place of the process that is started."""
        layers = f"{'rw' if writable else 'ro'},lowerdir=/,upperdir={self.upper},workdir={self.work}"
        script = SCRIPT.format(layers=layers, root=self.root, mounts=mounts, command=shlex.join(command))
        return ["unshare", "--mount", "sh", "-c", script]

    def ended(self, command: Sequence[str]) -> int:
        """Run it; its exit status."""
        return subprocess.run(self.command(command, writable=True), stdin=subprocess.DEVNULL, check=False).returncode

    def build(self, stage: Stage, context: Path, others: Mapping[str, "Layer"]) -> None:
        """Do every instruction of the stage. Raises RuntimeError where a command fails."""
        for one in stage.instructions:
            if one.word == "WORKDIR":
                self.directory = one.rest
                (self.upper / one.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif one.word == "COPY":
                self.copy(one, others[one.flags["from"]].upper if "from" in one.flags else context)
            elif one.word == "RUN":
                steps = f"export PATH=/usr/local/bin:/usr/bin:/bin; cd {self.directory}; {one.rest}"
                if self.ended(["sh", "-c", steps]):
                    raise RuntimeError(f"RUN {one.rest} failed")

    def copy(self, one: Instruction, origin: Path) -> None:
        """As COPY does: a folder's contents into the target, files into a folder or to a name."""
        *sources, target = one.words
        place = self.upper / os.path.join(self.directory, target).lstrip("/")  # noqa: PTH118 `./` keeps its slash
        for source in sources:
            path = origin / source.lstrip("/")
            if path.is_dir():
                shutil.copytree(path, place, symlinks=True, dirs_exist_ok=True)
            else:
                into = place / path.name if target.endswith("/") else place
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, into)


def started(
    layer: Layer, stage: Stage, volume: Path, port: int, *, environ: Mapping[str, str]
) -> "subprocess.Popen[str]":
    """What `docker run --read-only --tmpfs /tmp --cap-drop ALL` starts, with an empty volume. Its output is a pipe."""
    user = stage.last("USER")
    entry = stage.last("ENTRYPOINT")
    assert user is not None
    assert entry is not None
    owner, _, group = user.rest.partition(":")
    os.chown(volume, int(owner), int(group))
    state = stage.environ["GATEWAY_VAR"]
    mounts = f"mount -t tmpfs tmpfs {layer.root}/tmp\nmount --bind {volume} {layer.root}{state}"
    told = [f"{name}={value}" for name, value in {**stage.environ, "PORT": str(port), **environ}.items()]
    limits = ["--reuid", owner, "--regid", group, "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
    command = ["setpriv", *limits, "env", "-i", *told, *entry.words]
    return subprocess.Popen(
        layer.command(command, writable=False, mounts=mounts),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
