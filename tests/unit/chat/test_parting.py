"""The distances that a look through the public URL asks for."""

import time

from gateway.chat.parting import parted
from gateway.types import Chunk, Chunks


async def test_the_first_words_stand_alone() -> None:
    """They are written at once, then an empty chunk, then the rest; what comes before them is not held back."""

    async def source() -> Chunks:
        yield Chunk(delta={"reasoning_content": "Hm."})
        yield Chunk("Yes", more=True)
        yield Chunk(", I hear you.", more=True)
        yield Chunk(finish_reason="stop")

    began = time.perf_counter()
    found = [(chunk, time.perf_counter() - began) async for chunk in parted(0.05)(source())]
    assert [chunk.text for chunk, _ in found] == ["", "Yes", "", ", I hear you.", ""]
    assert found[1][0].more is False and found[2][0].delta == {"content": ""}
    assert found[2][1] - found[1][1] >= 0.05 and found[3][1] - found[2][1] >= 0.05
