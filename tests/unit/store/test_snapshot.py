"""`var/keys.json`: merged, never undone, private, and done without where it is damaged."""

import itertools
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.store import snapshot
from gateway.store.files import private_directory
from gateway.store.known import Known, lacking, merged
from gateway.types import Key, Rate

A = Key("aaaaaaaaaaaa", "a" * 64, "chat", "ä", "nora", Rate(1, 2), 1.5, None, None)
B = Key("bbbbbbbbbbbb", "b" * 64, "admin", created=2.5, expires=9.0)
GONE = replace(A, revoked=3.5)
ACCOUNTS = [
    Known("s", {A.id: A}, {"nora": 1}),
    Known("s", {A.id: GONE}, {"emil": 4}),
    Known("s", {B.id: B}, {"nora": 3}),
    Known("", {}, {}),
]
WHOLE = Known("s", {A.id: GONE, B.id: B}, {"nora": 3, "emil": 4})


def test_in_whatever_order_they_are_saved_nothing_is_undone(tmp_path: Path) -> None:
    """Processes of one store that save their accounts in any order end in the same file: all of it."""
    for index, order in enumerate(itertools.permutations(ACCOUNTS[:3])):
        path = tmp_path / f"{index}.json"
        for account in order:
            snapshot.save(path, account)
        assert snapshot.load(path) == WHOLE


def test_accounts_together_are_all_of_both() -> None:
    """Two accounts give the same whole in either order and told twice; what is lacking of it is what makes it whole."""
    for one, other in itertools.product(ACCOUNTS, repeat=2):
        whole = merged(one, other)
        assert whole == merged(other, one) == merged(whole, one)
        assert merged(one, lacking(one, whole)) == whole


def test_another_stores_file_is_replaced(tmp_path: Path) -> None:
    """What was saved for another store is not mixed in."""
    snapshot.save(tmp_path / "keys.json", Known("other", {B.id: B}, {"emil": 7}))
    snapshot.save(tmp_path / "keys.json", ACCOUNTS[0])
    assert snapshot.load(tmp_path / "keys.json") == ACCOUNTS[0]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"store": "s"}', '{"store":1,"keys":{},"generations":[]}', "[" * 9999]
)
def test_a_damaged_file_is_told_and_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str) -> None:
    """A file that cannot be read is as none, says so in the log, and is made anew."""
    path = tmp_path / "keys.json"
    path.write_text(text)
    with caplog.at_level(logging.WARNING, "gateway.store"):
        assert snapshot.load(path) == Known()
    assert "damaged" in caplog.text
    snapshot.save(path, ACCOUNTS[0])
    assert snapshot.load(path) == ACCOUNTS[0]


def test_one_damaged_record_costs_one_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A record that is none is left out, and the log does not show it."""
    path = tmp_path / "keys.json"
    snapshot.save(path, WHOLE)
    told = json.loads(path.read_text())
    told["keys"][0]["digest"] = "tampered"
    path.write_text(json.dumps(told))
    with caplog.at_level(logging.WARNING, "gateway.store"):
        assert list(snapshot.load(path).keys) == [B.id]
    assert "no record of a key" in caplog.text
    assert "tampered" not in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into another user's folder")
def test_root_leaves_nothing_that_the_gateways_user_cannot_read(tmp_path: Path) -> None:
    """What root's command writes under another user's `var` is that user's, and root runs no server in it."""
    os.chown(tmp_path, 12345, 12345)
    snapshot.save(tmp_path / "keys.json", WHOLE)
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {12345}
    with pytest.raises(PermissionError, match="another user"):
        private_directory(tmp_path / "store")
