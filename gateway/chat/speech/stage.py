"""The stage that makes an answer fit for the voice: chunks of plain prose pass as they are."""

from contextlib import aclosing

from gateway.chat.speech.voice import Voice
from gateway.errors import UpstreamEmpty
from gateway.types import Chunk, Chunks, Stage


def speech(language: str) -> Stage:
    """The stage of an agent that speaks `language` (BCP 47). It goes behind the stages that say what is spoken at all.

    Raises UpstreamEmpty where nothing is left to say and no tool is called, for silence is the worst answer. An answer
    that is too long for listening ends at a sentence, with an offer to go on, and its upstream is closed.
    """

    async def stage(chunks: Chunks) -> Chunks:
        voice, said = Voice(language), False
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    if chunk.text:
                        chunk.text = voice.feed(chunk.text)
                        said = said or not (chunk.text.isspace() or not chunk.text)
                    said = said or bool(chunk.delta)
                    if voice.over:
                        yield Chunk(chunk.text, chunk.delta, more=True)
                        yield Chunk(finish_reason="stop", extension={"shortened": True})
                        return
                    if chunk.finish_reason is not None and (text := _last_words(chunk, voice, said=said)):
                        yield Chunk(text, more=True)
                        chunk.text = ""
                    yield chunk
        except Exception:
            # What broke off may have been in the middle of a mark.
            if tail := voice.finish():
                yield Chunk(tail)
            raise

    return stage


def _last_words(chunk: Chunk, voice: Voice, *, said: bool) -> str:
    """What is said before the finish of `chunk`."""
    text = chunk.text + voice.finish()
    if not said and not text.strip():
        message = "The upstream finished without a word that can be spoken."
        raise UpstreamEmpty(message, finish_reason=chunk.finish_reason or "stop")
    return text
