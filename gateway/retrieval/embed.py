"""Vectors of texts: multilingual-e5-small on the CPU, with onnxruntime.

The model lies in a directory that `model.convert` writes: the encoder as ONNX, the tokenizer, and the word
table as it comes, 4 bits a weight. Only the rows of the words at hand are unpacked, so the table stays a
shared memory map of 54 MB instead of 384 MB of floats in every process.

e5 was trained with a prefix on each text, `query: ` and `passage: `:
https://huggingface.co/intfloat/multilingual-e5-small
"""

import mmap
import subprocess
import sys
from collections.abc import Callable, Sequence
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

CONVERTED = 300.0
"""Seconds for a conversion, which takes some ten."""
BLOCK = 32
"""Weights that share one scale; see `unpacked`."""

Vectors: TypeAlias = npt.NDArray[np.float32]
Embed: TypeAlias = Callable[[str], Vectors]
"""From a text to its unit vector, as one row: `Embedder.query` or `Embedder.passage`."""


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


def converted(var: Path) -> None:
    """Convert the model into `var`, in a child process: what that takes is slow to load, and large.

    Raises KnowledgeError.
    """
    command = [sys.executable, "-m", "gateway.retrieval.model", str(var)]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=CONVERTED, check=True)  # noqa: S603 (our own module)
    except subprocess.TimeoutExpired as error:
        raise KnowledgeError(f"the embedding model was not converted within {CONVERTED:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or [f"its process ended with {error.returncode}"])[-1]
        raise KnowledgeError(f"the embedding model cannot be converted: {said}") from error


def _table(path: Path) -> npt.NDArray[np.uint8]:
    """The word table, one row a word: mapped, and every page of it touched.

    Left to the questions, each word that nobody had said before brings a page into the process: it grows for days, and
    a turn may wait for the disk. (Reading rows from the file instead would give up the GIL once a word.)
    """
    table = np.memmap(path, dtype=np.uint8, mode="r")
    table[:: mmap.PAGESIZE].max()
    return table.reshape(-1, DIMENSION // BLOCK * (2 + BLOCK // 2))


class Embedder:
    """The model, opened. `query` and `passage` may be called from any thread; `run` releases the GIL."""

    def __init__(self, path: Path, *, threads: int) -> None:
        if not (path / ENCODER).is_file():
            raise KnowledgeError(f"{path}: no model here: run `gateway ingest`, which converts it")
        self._tokenizer = Tokenizer.from_file(str(path / TOKENIZER))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._words = _table(path / WORDS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # with texts of all lengths the arena only grows
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads burn no CPU
        # Fused with the addition before it, ONNX Runtime's layer normalisation takes seven times as long (1.32).
        self._session = onnxruntime.InferenceSession(
            str(path / ENCODER),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],
        )

    def query(self, text: str) -> Vectors:
        """The vector of what is looked for: one row."""
        return self._run(self._tokenizer.encode("query: " + text).ids[:QUERY_TOKENS])

    def passage(self, text: str) -> Vectors:
        """The vector of what is found: one row.

        A text is embedded by itself: the int8 scales of a batch depend on all that is in it, so that a passage's
        vector would depend on what happened to be ingested with it. On a CPU a batch is no faster.
        """
        return self._run(self._tokenizer.encode("passage: " + text).ids)

    def _run(self, tokens: Sequence[int]) -> Vectors:
        words = unpacked(self._words[np.asarray(tokens, dtype=np.int64)])[None]
        mask = np.ones((1, len(tokens)), dtype=np.float32)
        vectors: Vectors = self._session.run(None, {"words": words, "mask": mask})[0]
        return vectors
