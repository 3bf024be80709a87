"""From tables that somebody wrote (TOML, YAML) to frozen dataclasses: every fault at once, with its line.

The types are those of the dataclasses themselves. What a type cannot say (a range, a pattern, a closed list)
is a `Rule`, kept in a table by class and field, so that the values stay plain.
"""

import math
import os.path
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from gateway.errors import Fault

Keys: TypeAlias = tuple[str | int, ...]
"""Where a value lies: `("routes", "main", "targets", 0, "url")`."""
T = TypeVar("T")

NAME = r"[a-z0-9][a-z0-9-]*"
"""Names of agents, collections and routes: they stand in URLs, file names and `ROUTE/NAME`."""
NAME_SAYS = "small letters, digits and hyphens, beginning with a letter or digit"
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
VARIABLE_SAYS = "the name of an environment variable"
ORIGIN = r"\*|https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:[0-9]{1,5})?"
ORIGIN_SAYS = "an origin such as https://app.example.org, without a path, or *"

WORDS: Mapping[object, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    type(None): "nothing",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field's type does not say. Holds for each item where the field is a list."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    """Like `least`, the bound itself excluded."""
    longest: int = 0
    """Characters; 0: any number."""
    items: int = 0
    """Items of a list; 0: any number."""
    pattern: str = ""
    """The whole text matches this regular expression; `says` puts it in words."""
    says: str = ""
    choices: tuple[str, ...] = ()
    keys: str = ""
    """Pattern of a table's own keys, where the field is a mapping; `says` puts it in words."""
    withheld: str = ""
    """The field is not for this file: what to do instead."""


Rules: TypeAlias = Mapping[tuple[type, str], Rule]


def meant(word: str, known: Iterable[str]) -> str:
    """`did you mean …` where a known name is close, else the list of the known names."""
    names = sorted(known)
    if close := get_close_matches(word.lower()[:80], names, n=1, cutoff=0.6):
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "there are none"


def dotted(keys: Keys) -> str:
    """`routes.main.targets[0].url`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def noun(value: object) -> str:
    """What kind of thing somebody wrote."""
    return next((word for kind, word in WORDS.items() if type(value) is kind), type(value).__name__)


@dataclass(slots=True)
class Builder:
    """One file being read, and the faults found in it."""

    where: str
    lines: Callable[[Keys], int]
    """The line of a key, or of the nearest table around it."""
    rules: Rules
    base: Path = Path()
    """Relative paths start here."""
    faults: list[Fault] = field(default_factory=list)

    def fault(self, keys: Keys, problem: str) -> None:
        """Note what is wrong at `keys`."""
        self.faults.append(Fault(self.where, self.lines(keys), dotted(keys), problem))

    def table(self, kind: type[T], raw: object, keys: Keys = (), given: Mapping[str, object] | None = None) -> T | None:
        """An instance of the dataclass `kind`; None, with faults noted, where none can be made.

        A key with an impossible value falls back to its default, so that the rest is checked too. `given` are
        the values of fields that are not for the file.
        """
        if not isinstance(raw, Mapping):
            self._wrong(keys, "a table", raw)
            return None
        hints = get_type_hints(kind)
        known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]  # `kind` is a dataclass
        self._strangers(kind, raw, keys, known)
        found: dict[str, Any] = dict(given or {})
        for name, each in known.items():
            rule = self.rules.get((kind, name), Rule())
            if raw.get(name) is not None and not rule.withheld:
                value = self.value(hints[name], raw[name], (*keys, name), rule)
                if value is not None:
                    found[name] = value
            elif _required(each) and not rule.withheld:
                self.fault((*keys, name), "is missing")
        complete = all(name in found for name, each in known.items() if _required(each))
        return kind(**found) if complete else None

    def _strangers(self, kind: type, raw: Mapping[Any, object], keys: Keys, known: Collection[str]) -> None:
        rules = {name: self.rules.get((kind, name), Rule()) for name in known}
        open_names = [name for name in known if not rules[name].withheld]
        for key in raw:
            if key not in known:
                self.fault((*keys, str(key)), f"no such key; {meant(str(key), open_names)}")
            elif rules[key].withheld:
                self.fault((*keys, key), rules[key].withheld)

    def value(self, hint: Any, raw: object, keys: Keys, rule: Rule) -> Any:
        """`raw` as the type `hint`, or None with a fault noted."""
        origin = get_origin(hint)
        if origin is UnionType:  # `Voice | None`: an absent key is the None
            hint = next(each for each in get_args(hint) if each is not type(None))
            return self.value(hint, raw, keys, rule)
        if origin is Literal:
            return self._text(raw, keys, Rule(choices=get_args(hint)))
        if origin is tuple:
            return self._list(get_args(hint)[0], raw, keys, rule)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(get_args(hint)[1], raw, keys, rule)
        return self._plain(hint, raw, keys, rule)

    def _plain(self, hint: Any, raw: object, keys: Keys, rule: Rule) -> Any:
        if hint is str:
            return self._text(raw, keys, rule)
        if hint is Path:
            text = self._text(raw, keys, rule)
            return None if text is None else Path(os.path.normpath(self.base / text))
        if hint in (int, float):
            return self._number(hint, raw, keys, rule)
        if hint is bool:
            if isinstance(raw, bool):
                return raw
            self._wrong(keys, WORDS[bool], raw)
            return None
        return self.table(hint, raw, keys)

    def _wrong(self, keys: Keys, wanted: str, raw: object) -> None:
        hint = " (put it in quotes)" if wanted == WORDS[str] and isinstance(raw, bool | int | float) else ""
        self.fault(keys, f"must be {wanted}, not {noun(raw)}{hint}")

    def _text(self, raw: object, keys: Keys, rule: Rule) -> str | None:
        if not isinstance(raw, str):
            self._wrong(keys, WORDS[str], raw)
            return None
        problem = ""
        if "\0" in raw:
            problem = "must not hold a NUL character"
        elif rule.choices and raw not in rule.choices:
            problem = f"must be one of {', '.join(rule.choices)}, not {raw[:80]!r}"
        elif rule.longest and len(raw) > rule.longest:
            problem = f"must be {rule.longest} characters at most, not {len(raw)}"
        elif rule.pattern and not re.fullmatch(rule.pattern, raw):
            problem = f"must be {rule.says}, not {raw[:80]!r}"
        if problem:
            self.fault(keys, problem)
        return None if problem else raw

    def _number(self, kind: type, raw: object, keys: Keys, rule: Rule) -> float | None:
        accepted = (int, float) if kind is float else int
        if isinstance(raw, bool) or not isinstance(raw, accepted):
            self._wrong(keys, WORDS[kind], raw)
            return None
        if not rule.least <= raw <= rule.most or raw <= rule.above or not -1e18 < raw < 1e18:
            self.fault(keys, f"must be {_range(rule)}, not {raw if -1e18 < raw < 1e18 else 'that'}")
            return None
        return float(raw) if kind is float else raw

    def _list(self, hint: Any, raw: object, keys: Keys, rule: Rule) -> tuple[Any, ...] | None:
        if not isinstance(raw, list | tuple):
            self._wrong(keys, "a list", raw)
            return None
        if rule.items and len(raw) > rule.items:
            self.fault(keys, f"must have {rule.items} items at most, not {len(raw)}")
        found: list[Any] = []
        for index, item in enumerate(raw):
            value = self.value(hint, item, (*keys, index), rule)
            if value is not None and value in found:
                self.fault((*keys, index), "stands there twice")
            elif value is not None:
                found.append(value)
        return tuple(found)

    def _mapping(self, hint: Any, raw: object, keys: Keys, rule: Rule) -> dict[str, Any] | None:
        if not isinstance(raw, Mapping):
            self._wrong(keys, "a table", raw)
            return None
        found = {}
        for key, item in raw.items():
            if rule.keys and not re.fullmatch(rule.keys, key):
                self.fault((*keys, key), f"a name must be {rule.says}")
            elif (value := self.value(hint, item, (*keys, key), Rule())) is not None:
                found[key] = value
        return found


def _required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _range(rule: Rule) -> str:
    """The range in words; `inf` bounds are not spoken of."""
    parts = []
    if rule.above > -math.inf:
        parts.append(f"more than {rule.above:g}")
    if rule.least > -math.inf:
        parts.append(f"{rule.least:g} at least")
    if rule.most < math.inf:
        parts.append(f"{rule.most:g} at most")
    return " and ".join(parts) or "a number of ordinary size"
