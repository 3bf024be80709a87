"""`var/keys.json`: what is known of keys and generations, for when the store is away. Digests only, mode 0600."""

import fcntl
import json
import logging
import os
import time
from dataclasses import asdict
from pathlib import Path

from gateway.store.files import private, replaced
from gateway.store.known import Known, merged, pruned, read

logger = logging.getLogger("gateway.store")


def load(path: Path) -> Known:
    """What the file says; nothing where there is none. A record that cannot be read is left out, and told."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Known()
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("%s cannot be read: %s", path, error)
        return Known()
    try:
        told = json.loads(text)
        generations = {str(agent): int(generation) for agent, generation in told["generations"].items()}
        store, records = str(told["store"]), list(told["keys"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        logger.warning("%s is damaged and not used: %s", path, error)
        return Known()
    keys = {}
    for record in records:
        try:
            key = read(json.dumps(record))
            keys[key.id] = key
        except ValueError as error:
            logger.warning("%s: one record %s", path, error)
    return Known(store, keys, generations)


def save(path: Path, known: Known) -> None:
    """Put `known` into the file, with what other processes of the same store have put there. Raises OSError.

    Processes come here in any order; since both accounts are put together, none undoes another's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = private(path.with_name(f".{path.name}.lock"), os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = load(path)
        whole = merged(there, known) if there.store in ("", known.store) else known
        whole = pruned(whole, time.time())
        if whole == there:
            return
        told = {
            "store": whole.store,
            "keys": [asdict(key) for key in whole.keys.values()],
            "generations": dict(whole.generations),
        }
        replaced(path, json.dumps(told, indent=1) + "\n")
    finally:
        os.close(lock)
