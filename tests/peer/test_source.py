"""Any audio becomes PCM of 16 kHz, and what is not what it is said to be is named."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import InvalidValue
from gateway.peer.source import Raw, named, reading
from tests.peer.stage import pcm, sine, waved


async def heard(source: str, raw: Raw | None = None) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """All of a source."""
    pieces = []
    async with reading(source, raw) as opened:
        while piece := await opened.read():
            pieces.append(piece)
        assert await opened.read() == b""
    opened.thread.join(1)
    assert not opened.thread.is_alive()
    return np.frombuffer(b"".join(pieces), np.int16)


def hertz(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> float:
    """Of its loudest tone."""
    return float(np.fft.rfftfreq(samples.size, 1 / 16000)[int(np.abs(np.fft.rfft(samples)).argmax())])


async def test_48_khz_stereo_with_a_header(tmp_path: Path) -> None:
    """A WAV file is resampled and mixed: as long as it was, the same tone, as loud."""
    samples = await heard(str(waved(tmp_path / "tone.wav", 1.0)))
    assert abs(samples.size - 16000) < 40
    assert abs(hertz(samples) - 440) < 2
    assert abs(float(np.abs(samples[2000:-2000]).max()) - 16383) < 700


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (Raw("s16le"), pcm(0.5)),
        (Raw("f32le", 48000), sine(0.5, 48000).tobytes()),
        (Raw("f32le", 44100, 2), np.repeat(sine(0.5, 44100), 2).tobytes()),
        (Raw("s16le", 8000, 6), np.repeat((sine(0.5, 8000) * 32767).astype("<i2"), 6).tobytes()),
    ],
)
async def test_raw_samples(tmp_path: Path, raw: Raw, content: bytes) -> None:
    """Raw samples are what --format, --rate and --channels say."""
    (tmp_path / "tone").write_bytes(content)
    samples = await heard(str(tmp_path / "tone"), raw)
    assert abs(samples.size - 8000) < 40
    assert abs(hertz(samples) - 440) < 3


@pytest.mark.parametrize(
    ("raw", "content", "says"),
    [
        (Raw("s16le"), b"RIFF\0\0\0\0WAVEfmt ", "is a WAV file"),
        (Raw("f32le"), b"OggS" + bytes(12), "is a Ogg file"),
        (Raw("s16le"), bytes(1001), "1001 bytes, which is no whole number of s16le"),
        (Raw("f32le", 16000, 2), bytes(1004), "2 channels (8 bytes)"),
        (Raw("f32le"), pcm(0.5), "no float samples"),
        (None, b"this is a letter, and no sound\n" * 40, "cannot be read as audio"),
        (None, b"", "cannot be read as audio"),
    ],
)
async def test_what_is_not_what_it_is_said_to_be(tmp_path: Path, raw: Raw | None, content: bytes, says: str) -> None:
    """A header in raw samples, half a sample, integers for floats, and what is no audio are each named."""
    (tmp_path / "wrong").write_bytes(content)
    with pytest.raises(InvalidValue) as refused:
        await heard(str(tmp_path / "wrong"), raw)
    assert says in refused.value.message and refused.value.exit_code == 65


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere.wav", "There is no file"),
        ("rtmp://example.org/live", "only http and https"),
        ("http://127.0.0.1:9/x?key=secret", "cannot be read"),
    ],
)
async def test_sources_that_are_not_there(source: str, says: str) -> None:
    """A file that does not exist, a scheme that is not taken, and a server that does not answer are each named."""
    with pytest.raises(InvalidValue) as refused:
        await heard(source)
    assert says in refused.value.message
    assert "secret" not in refused.value.message


@contextlib.contextmanager
def radio(folder: Path) -> Iterator[str]:
    """A server of the files in a folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


async def test_an_address(tmp_path: Path) -> None:
    """What a server sends is heard as a file is, and with a header said to be raw it is named as a file is."""
    waved(tmp_path / "tone.wav", 0.3)
    with radio(tmp_path) as url:
        assert abs((await heard(f"{url}/tone.wav")).size - 4800) < 40
        with pytest.raises(InvalidValue, match="is a WAV file"):
            await heard(f"{url}/tone.wav", Raw("s16le"))


async def test_a_source_that_is_left_alone_lets_go(tmp_path: Path) -> None:
    """Whoever stops reading in the middle leaves no thread behind."""
    async with reading(str(waved(tmp_path / "long.wav", 20.0))) as opened:
        assert await opened.read()
    opened.thread.join(1)
    assert not opened.thread.is_alive()


def test_an_address_is_named_without_its_secrets() -> None:
    """Neither user, password nor query of an address are written anywhere."""
    assert named("https://u:p@radio.example.org/live.mp3?key=k") == "https://radio.example.org/live.mp3"
