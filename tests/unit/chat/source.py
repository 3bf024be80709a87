"""What the stages are tested with: a stream of given chunks that knows how it was closed."""

from gateway.types import Chunk, Chunks, Stage, Turn

SORRY = "I am sorry, I lost my thread."


class Source:
    """A stream of these chunks, then of this error; it knows whether it was closed."""

    def __init__(self, *chunks: Chunk, error: Exception | None = None) -> None:
        self.given, self.error, self.closed = chunks, error, False

    async def chunks(self) -> Chunks:
        try:
            for chunk in self.given:
                yield chunk
            if self.error:
                raise self.error
        finally:
            self.closed = True


async def through(stage: Stage, *chunks: Chunk, error: Exception | None = None) -> list[Chunk]:
    return [chunk async for chunk in stage(Source(*chunks, error=error).chunks())]


def turn() -> Turn:
    return Turn("req_1", 0.0, 0.0)
