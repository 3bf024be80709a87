"""`gateway videos`: a face says a text, or what is in an audio file, and the video is fetched."""

import argparse
import asyncio
from functools import partial
from pathlib import Path
from typing import get_args

from gateway import clients
from gateway.cli.faces import read, seconds, waiting
from gateway.errors import ConfigurationError, Fault, InvalidValue
from gateway.orchestration.faces import faces_desk
from gateway.orchestration.recordings import BY_ENDING, checked_audio
from gateway.settings import Settings
from gateway.simli import client
from gateway.types.orchestration import AudioFormat, TextVideo, VideoProvider


def add(parser: argparse.ArgumentParser) -> None:
    """Its verbs and their options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    text = verbs.add_parser(
        "text",
        help="a face says a text",
        description="An agent, or a face, says a text. Simli's older API only: its current one has no such call.",
    )
    text.add_argument("agent", metavar="AGENT", nargs="?", default="", help="whose face and voice; or --face")
    text.add_argument("text", metavar="TEXT")
    text.add_argument("--face", default="", metavar="ID", help="another face than the agent's")
    text.add_argument("--provider", choices=get_args(VideoProvider), default="", help="who speaks; else the agent's")
    text.add_argument("--voice", default="", metavar="ID", help="the provider's id of a voice")
    text.add_argument("--tts-key-env", default="", metavar="NAME", help="environment variable with the provider's key")
    audio = verbs.add_parser(
        "audio", help="a face says what is in an audio file", description="A face says what is in an audio file."
    )
    audio.add_argument("face", metavar="FACE", help="Simli's id of a face")
    audio.add_argument("file", metavar="FILE", type=Path)
    audio.add_argument(
        "--format",
        choices=get_args(AudioFormat),
        help="else by the file's ending; pcm16 and pcm32 are 16 kHz, one channel, no header",
    )
    for verb in (text, audio):
        verb.add_argument(
            "-o", "--output", type=Path, default=Path("video.mp4"), metavar="FILE", help="where it goes (video.mp4)"
        )
        verb.add_argument("--within", type=seconds, default=900.0, metavar="SECONDS", help="how long to wait (900)")
        verb.add_argument(
            "--config", metavar="FILE", type=Path, default=argparse.SUPPRESS, help="settings (TOML); or GATEWAY_CONFIG"
        )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it, and print the video's path. Raises InvalidValue, NotFound, ConfigurationError, SimliError."""
    output: Path = arguments.output
    if output.exists():
        raise InvalidValue(f"{output} exists; name another file with -o.")
    if not output.parent.is_dir():
        raise InvalidValue(f"There is no folder {output.parent} for {output.name}.")
    if arguments.verb == "text" and not arguments.agent and not arguments.face:
        problem = "no agent is named; name one before the text, or a face with --face"
        raise ConfigurationError([Fault("videos text", 0, "", problem)])
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    agents = clients.agents(settings) if arguments.verb == "text" and arguments.agent else {}
    audio, kind = heard(arguments.file, arguments.format) if arguments.verb == "audio" else (b"", None)
    simli = partial(client.opened, settings.simli_url, settings.simli_key, settings.simli)
    desk = faces_desk(simli, lambda: agents, settings.environ)
    with waiting("Simli makes the video"):
        if kind is None:
            urls = await desk.video_of_text(_wanted(arguments))
        else:
            urls = await desk.video_of_audio(arguments.face, audio, kind)
        async with simli() as opened:
            await opened.download(urls.mp4, arguments.output, arguments.within)
    print(arguments.output)
    return 0


def _wanted(asked: argparse.Namespace) -> TextVideo:
    return TextVideo(asked.text, asked.agent, asked.face, asked.provider, asked.voice, asked.tts_key_env)


def heard(path: Path, named: AudioFormat | None) -> tuple[bytes, AudioFormat]:
    """The audio and its format. Raises InvalidValue for what is no such audio, before anything is sent."""
    kind = named or BY_ENDING.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(get_args(AudioFormat))
        raise InvalidValue(f"The ending of {path.name} says no format; --format is one of {known}.")
    audio = read(path)
    checked_audio(audio, kind)
    return audio, kind
