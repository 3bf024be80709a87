"""`gateway faces` and `gateway videos` against the sandbox: what is made and fetched, and refused before it is sent."""

import argparse
import asyncio
import io
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest

from gateway.cli import faces, videos
from gateway.errors import ConfigurationError, GatewayError, InvalidValue, SimliNotFound, SimliRejected, SimliTimeout
from gateway.settings import Settings
from tests.knowledge import write
from tests.sandboxed import Sandbox, sandboxed
from tests.unit.orchestration.test_faces import picture

NORA = """---
face_id: tmp9i8bbq7c
voice: {provider: elevenlabs, id: voice-1}
tts_key_env: VOICE_KEY
---
You are Nora.
"""
TONE = (8000 * np.sin(np.arange(16_000) * 2 * np.pi * 220 / 16_000)).astype("<i2")


def wav() -> bytes:
    """A second of it, with a header."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((1, 2, 16_000, 0, "NONE", ""))
        written.writeframes(TONE.tobytes())
    return file.getvalue()


@dataclass
class Terminal:
    """Commands in a folder, in front of a sandbox."""

    sandbox: Sandbox
    settings: Settings
    root: Path
    capsys: pytest.CaptureFixture[str]

    async def run(self, command: str, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error. Raises what the command raises."""
        module = {"faces": faces, "videos": videos}[command]
        parser = argparse.ArgumentParser()
        module.add(parser)
        code = await asyncio.to_thread(module.run, parser.parse_args(words), self.settings)
        said = self.capsys.readouterr()
        written = (said.out + said.err).replace(str(self.root), "FOLDER")  # which is as long as it is
        assert max(map(len, written.splitlines()), default=0) <= 80
        return code, said.out, said.err

    async def refused(self, kind: type[GatewayError], command: str, *words: str) -> str:
        """The message of the error that a command ends with, when nothing reached Simli."""
        before = len(await self.sandbox.calls())
        with pytest.raises(kind) as error:
            await self.run(command, *words)
        assert len(await self.sandbox.calls()) == before
        return str(error.value)


@pytest.fixture
async def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Terminal]:
    write(tmp_path / "prompts", {"nora.md": NORA})
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "portrait.png").write_bytes(picture("png", 512, 640))
    (tmp_path / "small.png").write_bytes(picture("png", 640, 500))
    (tmp_path / "hello.wav").write_bytes(wav())
    (tmp_path / "hello.pcm").write_bytes(TONE.tobytes())
    async with sandboxed() as sandbox:
        settings = Settings(
            prompts=tmp_path / "prompts",
            var=tmp_path / "var",
            simli_url=sandbox.url,
            simli_key=sandbox.key,
            environ={"VOICE_KEY": "planted-voice-key"},
        )
        made = replace(settings, knowledge=replace(settings.knowledge, directory=tmp_path / "knowledge"))
        yield Terminal(sandbox, made, tmp_path, capsys)


async def test_a_face_is_made_waited_for_listed_and_deleted(terminal: Terminal) -> None:
    """Its id is alone on standard output; how far it is goes to standard error, and is what `status` says."""
    code, out, error = await terminal.run("faces", "create", str(terminal.root / "portrait.png"), "--wait")
    face = out.strip()
    assert code == 0 and out == f"{face}\n" and len(face.split()) == 1
    assert f"Face {face}: processing" in error and f"Face {face}: ready" in error
    assert "warning: The image is 512x640 pixels" in error
    upload = (await terminal.sandbox.calls())[-1]
    assert (await terminal.run("faces", "status", face))[1].startswith(f"Face {face}: ready")
    assert face in (await terminal.run("faces", "list"))[1]
    assert (await terminal.run("faces", "delete", face))[1] == f"Face {face} is deleted at Simli.\n"
    assert "no faces of its own" in (await terminal.run("faces", "list"))[1]
    with pytest.raises(SimliNotFound) as gone:
        await terminal.run("faces", "status", face)
    assert gone.value.exit_code == 65 and upload["status"] == 200


async def test_a_face_that_cannot_be_made_is_a_failure(terminal: Terminal) -> None:
    """1, with Simli's own reason; `status` says the same later."""
    await terminal.sandbox.behave(face_result="failed")
    code, out, error = await terminal.run("faces", "create", str(terminal.root / "portrait.png"), "--wait")
    assert code == 1 and "failed (No face was found" in error
    code, said, _ = await terminal.run("faces", "status", out.strip())
    assert code == 1 and "failed" in said


@pytest.mark.parametrize("text", ["nan", "-1", "inf", "soon", "604801"])
def test_a_wait_is_a_number_of_seconds(text: str) -> None:
    """Of a week at most: nothing waits for ever."""
    with pytest.raises(argparse.ArgumentTypeError):
        faces.seconds(text)
    assert (faces.seconds("0"), faces.seconds("2.5"), faces.seconds("604800")) == (0.0, 2.5, 604_800.0)


async def test_a_face_that_takes_longer_is_a_passing_failure(terminal: Terminal) -> None:
    """75, with what to ask later; the making goes on."""
    with pytest.raises(SimliTimeout, match=r"`gateway faces status \S+`") as late:
        await terminal.run("faces", "create", str(terminal.root / "portrait.png"), "--wait", "--within", "0")
    assert late.value.exit_code == 75


async def test_what_is_no_image_never_leaves_the_machine(terminal: Terminal) -> None:
    """Too small, no image, not there: said before anything is sent."""
    assert "640 x 500 pixels" in await terminal.refused(
        InvalidValue, "faces", "create", str(terminal.root / "small.png")
    )
    assert "no PNG" in await terminal.refused(InvalidValue, "faces", "create", str(terminal.root / "hello.wav"))
    assert "cannot be read" in await terminal.refused(InvalidValue, "faces", "create", str(terminal.root / "none.png"))


@pytest.mark.parametrize(
    "words",
    [
        ("audio", "tmp9i8bbq7c", "{root}/hello.wav"),
        ("audio", "tmp9i8bbq7c", "{root}/hello.pcm"),
        ("text", "nora", "Welcome."),
        ("text", "--face", "tmp9i8bbq7c", "Welcome.", "--provider", "playht", "--voice", "s3://voice"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
async def test_a_video_is_waited_for_and_fetched(terminal: Terminal, words: tuple[str, ...]) -> None:
    """Its path alone is printed; the file plays, with picture and sound, and no part of it is left beside it."""
    output = terminal.root / "out.mp4"
    given = [word.replace("{root}", str(terminal.root)) for word in words]
    code, out, error = await terminal.run("videos", *given, "-o", str(output))
    assert (code, out, error) == (0, f"{output}\n", "")
    with av.open(output) as video:
        assert {stream.type for stream in video.streams} == {"video", "audio"}
        assert next(video.decode(video=0)).width >= 512
    assert not list(terminal.root.glob(".*"))
    assert "planted-voice-key" not in str(await terminal.sandbox.state())


async def test_a_text_is_for_the_older_api(terminal: Terminal) -> None:
    """Where Simli has no such call any more it is said, and what there is instead."""
    await terminal.sandbox.behave(serves="current")
    with pytest.raises(SimliRejected, match=r"no such call.*audio"):
        await terminal.run("videos", "text", "nora", "Welcome.", "-o", str(terminal.root / "out.mp4"))


async def test_a_file_that_is_there_is_not_written_over(terminal: Terminal) -> None:
    """Nor is anything asked for that would have nowhere to go, or be refused."""
    audio = str(terminal.root / "hello.wav")
    assert "exists" in await terminal.refused(InvalidValue, "videos", "audio", "face", audio, "-o", audio)
    nowhere = str(terminal.root / "none" / "out.mp4")
    assert "no folder" in await terminal.refused(InvalidValue, "videos", "audio", "face", audio, "-o", nowhere)
    out = ("-o", str(terminal.root / "out.mp4"))
    portrait = str(terminal.root / "portrait.png")
    assert "--format" in await terminal.refused(InvalidValue, "videos", "audio", "face", portrait, *out)
    wrong = ("videos", "audio", "face", audio, "--format", "mp3")
    assert "no mp3" in await terminal.refused(InvalidValue, *wrong, *out)
    assert "no agent" in await terminal.refused(ConfigurationError, "videos", "text", "Hello.", *out)
    unset = ("videos", "text", "nora", "Hi.", "--tts-key-env", "OTHER_KEY")
    assert "OTHER_KEY: is not set" in await terminal.refused(ConfigurationError, *unset, *out)


async def test_a_video_that_does_not_come_leaves_no_file(terminal: Terminal) -> None:
    """75 after the time that was given; nothing half-written is there."""
    await terminal.sandbox.fault("GET /static/mp4/*", status=404)
    await terminal.sandbox.fault("GET /mp4/*", status=404)
    output = terminal.root / "out.mp4"
    with pytest.raises(SimliTimeout, match=r"within 0\.4 s"):
        await terminal.run(
            "videos", "audio", "face", str(terminal.root / "hello.wav"), "-o", str(output), "--within", "0.4"
        )
    assert not output.exists() and not list(terminal.root.glob(".*"))
