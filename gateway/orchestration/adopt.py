"""An agent that somebody made in Simli's dashboard, as an agent file of ours.

The file comes first, and Simli is told second: where that is cut short nothing is lost. The file's first line names
the agent that it was made from, so that a second try takes the file up instead of writing another one.
"""

import errno
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from gateway.errors import ConfigurationError, Fault
from gateway.settings.build import NAME, NAME_SAYS
from gateway.store.files import beside
from gateway.types import Agent

Load: TypeAlias = Callable[[str, str, str], Agent]
"""An agent of name, text and path of its file; raises ConfigurationError with the faults."""
LONGEST = 60
"""Characters of a name that is made."""
UNLINKED = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system says that has no hard links."""
_ORIGIN = "# Adopted from Simli's agent {id}."


def slug(name: str) -> str:
    """A file's name made of a name at Simli: `Nora (Demo)` is `nora-demo`; where nothing is left of it, `agent`."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].rstrip("-") or "agent"


def free(name: str, taken: Collection[str]) -> str:
    """The name, or with `-2`, `-3`, … behind it the first that nobody has."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def escaped(text: str) -> str:
    """A template that renders to this text: what would begin an expression, a statement or a comment does not."""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)


def written(name: str, id_: str, fields: Mapping[str, Any], prompt: str) -> str:
    """The text of the agent's file."""
    head = {"name": name, **{key: value for key, value in fields.items() if key != "name"}}
    front = yaml.safe_dump(_whole(head), allow_unicode=True, sort_keys=False, width=100)
    return f"---\n{_origin(id_)}\n{front}---\n{escaped(_whole(prompt)).strip()}\n"


def _origin(id_: str) -> str:
    return _ORIGIN.format(id=" ".join(id_.split()))  # one line, whatever an id may be


def _whole(value: Any) -> Any:
    """The value without half characters, which JSON can bring and no file holds."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {key: _whole(each) for key, each in value.items()}
    return value


def adopted_before(folder: Path, id_: str) -> Path | None:
    """The file that was written for this agent of Simli's already."""
    line = _origin(id_)
    for path in sorted(folder.glob("*.md")):
        with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
            if [file.readline().rstrip("\n"), file.readline().rstrip("\n")] == ["---", line]:
                return path
    return None


def chosen(wanted: str, name: str, folder: Path) -> str:
    """The new file's name: `wanted`, where somebody asks for one, else one made of the name at Simli.

    Raises ConfigurationError for a wanted name that is none, or is taken.
    """
    taken = {path.stem for path in folder.glob("*.md")}
    if not wanted:
        return free(slug(name), taken)
    if not re.fullmatch(NAME, wanted) or len(wanted) > LONGEST:
        raise ConfigurationError([Fault("--name", 0, "", f"must be {NAME_SAYS}, {LONGEST} at most")])
    if wanted in taken:
        problem = f"there is an agent {wanted!r}; take another name, or none to have one made"
        raise ConfigurationError([Fault("--name", 0, "", problem)])
    return wanted


def kept(path: Path, text: str) -> None:
    """Write the file, whole or not at all, and never over another. Raises ConfigurationError where it cannot be."""
    new = beside(path)
    try:
        new.write_text(text, encoding="utf-8")
        try:
            path.hardlink_to(new)  # refuses where there is one, unlike a rename
        except OSError as error:
            if error.errno not in UNLINKED:
                raise
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise ConfigurationError([Fault(str(path), 0, "", f"cannot be written ({error.strerror})")]) from None
    finally:
        new.unlink(missing_ok=True)
