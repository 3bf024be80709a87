"""argv and environment into settings and a command: the only reader of the environment.

The command's module is imported by name from a literal table, so that one command does not pay for another's libraries.
"""

import argparse
import os
import sys
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from gateway import observe
from gateway.errors import ConfigurationError, Fault, GatewayError
from gateway.errors.redaction import redacting
from gateway.settings import Read, read, withheld

COMMANDS = {
    "serve": "answer POST /chat/completions",
    "check": "say what a start or a turn would miss, and what to do",
    "ingest": "bring knowledge/ into the index",
    "eval": "ask the golden questions and count what was found",
    "keys": "make, list and revoke API keys",
    "agents": "agents: what their files say, and their counterparts at Simli",
    "sessions": "start, list and end sessions, and read what was said",
    "faces": "faces at Simli: made of an image, looked at, deleted",
    "videos": "a face says a text or an audio file, as a video",
    "play": "any audio to a face, live, and what was seen, heard and waited for",
    "smoke": "hold a whole conversation with the avatar, and say what a person would find",
    "sandbox": "a local Simli: no account, no key, no network",
}


def parser() -> argparse.ArgumentParser:
    """The whole command line. Only the named command's module is imported."""
    root = argparse.ArgumentParser(prog="gateway", description="The brain behind a Simli face.")
    root.add_argument("--version", action="version", version=f"gateway {version('simli-gateway')}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = next((argument for argument in sys.argv[1:] if argument in COMMANDS), None)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        command.add_argument("--config", metavar="FILE", type=Path, help="settings (TOML); or GATEWAY_CONFIG")
        if name == named:
            import_module(f"gateway.cli.{name}").add(command)
    return root


def settings_for(arguments: argparse.Namespace) -> Read:
    """Read the settings file, if one is named, and the environment. May be asked again, for a reload."""
    options = {
        name: getattr(arguments, name) for name in ("llm", "gguf", "tunnel", "workers") if hasattr(arguments, name)
    }
    environ = dict(os.environ)
    for name in ("host", "port"):  # a flag wins over the environment, and is checked as it is
        if getattr(arguments, name, None) is not None:
            environ[name.upper()] = str(getattr(arguments, name))
    path: Path | None = arguments.config
    if path is None:
        return read(None, "settings", environ, base=Path(), **options)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        return Read(None, (Fault(str(path), 0, "", f"cannot be read: {error.strerror}"),))
    except UnicodeDecodeError as error:
        return Read(None, (Fault(str(path), 0, "", f"cannot be read: byte {error.start} is no UTF-8"),))
    return read(text, str(path), environ, base=path.parent, **options)


def refused(_: argparse.Namespace, found: Read) -> int:
    """What becomes of a command whose settings have faults; one with a `refused` of its own looks further first."""
    raise ConfigurationError(found.faults)


def main() -> int:
    """Run one command; its exit code is the process's."""
    arguments = parser().parse_args()
    if arguments.config is None and (named := os.environ.get("GATEWAY_CONFIG")):
        arguments.config = Path(named)
    arguments.read = partial(settings_for, arguments)
    command = import_module(f"gateway.cli.{arguments.command}")
    try:
        found = arguments.read()
        if found.settings is None or found.faults:
            return int(getattr(command, "refused", refused)(arguments, found))
        observe.configure(found.settings.log.format, redact=redacting(withheld(found.settings)))
        return int(command.run(arguments, found.settings))
    except ConfigurationError as error:
        print(*error.faults, sep="\n", file=sys.stderr)
        count = len(error.faults)
        print(
            f"gateway: {count} fault{'s' if count != 1 else ''} in the configuration; nothing was started",
            file=sys.stderr,
        )
        return error.exit_code
    except GatewayError as error:
        print(f"gateway: {error.message}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
