"""What `animato doctor` finds: each room looks at what it knows, and tells it in this form."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from jobs.errors import AnimatoError


class State(StrEnum):
    """How something stands."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at.

    Attributes:
        about: what, in a word or two.
        state: how it stands.
        says: what was found and, unless it is ok, what to do.
        is_needed: whether the service cannot run as long as it is not ok.
    """

    about: str
    state: State
    says: str
    is_needed: bool = False

    @classmethod
    def of(cls, about: str, error: AnimatoError) -> Self:
        """Something needed that is wrong for the reason that an error tells."""
        return cls(about, State.WRONG, str(error), is_needed=True)

    @property
    def is_in_the_way(self) -> bool:
        """Whether the service cannot run because of it."""
        return self.is_needed and self.state is not State.OK
