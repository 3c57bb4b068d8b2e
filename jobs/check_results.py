"""Results of the checks of `animato doctor`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from jobs.errors import AnimatoError


class State(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        about: what was checked, in a word or two.
        state: the outcome.
        says: what was found and, unless it is ok, what to do.
        is_needed: whether the service cannot run unless it is ok.
    """

    about: str
    state: State
    says: str
    is_needed: bool = False

    @classmethod
    def of(cls, about: str, error: AnimatoError) -> Self:
        """Return a needed check that failed with an error."""
        return cls(about, State.WRONG, str(error), is_needed=True)

    @property
    def is_in_the_way(self) -> bool:
        """Whether this prevents the service from running."""
        return self.is_needed and self.state is not State.OK
