"""Vectors that were made before."""

from pathlib import Path

import numpy as np

from gateway.retrieval import vectors
from gateway.retrieval.versions import DIMENSION


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    """A vector is found by the content it was made from, in a later process too, among any number of
    others."""
    path = tmp_path / "sub" / "model.sqlite"
    made = {vectors.key(str(n)): np.full(DIMENSION, n, dtype=np.float32) for n in range(1200)}
    with vectors.opened(path) as kept:
        kept.keep(made)
    with vectors.opened(path) as kept:
        found = kept.find([*made, vectors.key("never seen")])
    assert found.keys() == made.keys()
    assert all((found[key] == made[key]).all() for key in made)


def test_damaged_cache_is_begun_anew(tmp_path: Path) -> None:
    """A cache that is no database costs time, not an ingest."""
    path = tmp_path / "model.sqlite"
    path.write_bytes(b"this is no database" * 500)
    with vectors.opened(path) as kept:
        assert kept.find([vectors.key("x")]) == {}
        kept.keep({vectors.key("x"): np.ones(DIMENSION, dtype=np.float32)})
        assert list(kept.find([vectors.key("x")])) == [vectors.key("x")]
