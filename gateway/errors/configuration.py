"""What somebody wrote wrong into a file or a variable."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gateway.errors.root import GatewayError


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong with a file or a setting, and what would be right."""

    where: str
    """The file, or the name of an environment variable."""
    line: int
    """1-based; 0 where there is none."""
    field: str
    """Dotted path of the key; empty for the file itself."""
    problem: str
    """What is wrong and what would be right, as one sentence."""

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}" if self.line else self.where
        return f"{place}: {self.field}: {self.problem}" if self.field else f"{place}: {self.problem}"


class ConfigurationError(GatewayError):
    """Settings or agent files are wrong. Carries every fault, so that one start shows them all."""

    code = "configuration_error"
    exit_code: ClassVar[int] = 78
    """EX_CONFIG."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))
