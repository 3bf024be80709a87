"""Vectors of texts: multilingual-e5-small on the CPU, with onnxruntime.

The model lies in a directory that `model.convert` writes: the encoder as ONNX, the tokenizer, and the word
table as it comes, 4 bits a weight. Only the rows of the words at hand are unpacked, so the table stays a
shared memory map of 54 MB instead of 384 MB of floats in every process.

e5 was trained with a prefix on each text, `query: ` and `passage: `:
https://huggingface.co/intfloat/multilingual-e5-small
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from gateway.errors import KnowledgeError
from gateway.retrieval.versions import DIMENSION, MODEL

ENCODER, WORDS, TOKENIZER = "encoder.onnx", "words.q4", "tokenizer.json"
MAX_TOKENS = 512
"""The model knows no more places."""
QUERY_TOKENS = 128
"""Some 500 characters:
a spoken question is shorter, and the time of a search must not grow with a pasted page."""

BLOCK = 32
"""Weights that share one scale; see `unpacked`."""
BATCH = 8
"""Texts embedded at once while ingesting: more is no faster on a CPU and only takes memory."""

Vectors: TypeAlias = npt.NDArray[np.float32]
Embed: TypeAlias = Callable[[Sequence[str]], Vectors]
"""From texts to unit vectors, one row each."""


def unpacked(rows: npt.NDArray[np.uint8]) -> Vectors:
    """The weights of rows in blocks of 18 bytes: a 16-bit float, the scale, and 32 numbers of 4 bits, less 8
    each.

    Byte j of a block's sixteen holds weight j in its low and weight j + 16 in its high half (ggml's Q4_0).
    """
    blocks = rows.reshape(len(rows), -1, 2 + BLOCK // 2)
    scales = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)
    packed = blocks[..., 2:]
    weights = np.concatenate([packed & 0x0F, packed >> 4], axis=-1).astype(np.float32)
    weights -= 8.0
    weights *= scales
    return weights.reshape(len(rows), -1)


def directory(var: Path) -> Path:
    """Where the converted model lies."""
    return var / "models" / MODEL


class Embedder:
    """The model, opened. `query` and `passages` may be called from any thread; `run` releases the GIL."""

    def __init__(self, path: Path, *, threads: int) -> None:
        if not (path / ENCODER).is_file():
            raise KnowledgeError(f"{path}: no model here: run `gateway ingest`, which converts it")
        self._tokenizer = Tokenizer.from_file(str(path / TOKENIZER))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._words = np.memmap(path / WORDS, dtype=np.uint8, mode="r").reshape(
            -1, DIMENSION // BLOCK * (2 + BLOCK // 2)
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # with batches of all lengths the arena only grows
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads burn no CPU
        self._session = onnxruntime.InferenceSession(str(path / ENCODER), options, providers=["CPUExecutionProvider"])

    def query(self, text: str) -> Vectors:
        """The vector of what is looked for: one row."""
        return self._run([self._tokenizer.encode("query: " + text).ids[:QUERY_TOKENS]])

    def passages(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """The vectors of passages, a batch at a time, with their places in `texts`:
        alike lengths go together."""
        tokens = [self._tokenizer.encode("passage: " + text).ids for text in texts]
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place]))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            yield places, self._run([tokens[place] for place in places])

    def _run(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        length = max(map(len, tokens))
        ids = np.zeros((len(tokens), length), dtype=np.int64)
        mask = np.zeros((len(tokens), length), dtype=np.float32)
        for row, line in enumerate(tokens):
            ids[row, : len(line)] = line
            mask[row, : len(line)] = 1.0
        words = unpacked(self._words[ids.reshape(-1)]).reshape(len(tokens), length, DIMENSION)
        vectors: Vectors = self._session.run(None, {"words": words, "mask": mask})[0]
        return vectors
