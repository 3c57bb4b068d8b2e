"""How long a fuzz test runs: a few fixed examples, or new ones for some time.

FUZZ_SECONDS=60    each test makes new examples for that long, as `make fuzz` does; 0 or not set:
                   always the same few, as in `make test`
FUZZ_SEED=4242     where the examples begin; each round prints its own seed, to repeat it
"""

import functools
import os
import random
import time
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.strategies import SearchStrategy

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
FIRST_SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(1 << 32))


def fuzzed(examples: int, **values: SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Run a test with values from these strategies.

    Args:
        examples: how many in each round of `make fuzz`; in `make test`, which always tries the
            same ones, half of them.
        **values: a strategy for each argument that is no fixture.
    """

    def decorate(test: Any) -> Any:
        limits = settings(
            max_examples=examples if SECONDS else max(2, examples // 2),
            derandomize=not SECONDS,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        # It warns of large examples, such as whole files, in place of the failure.
        quietly = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
        one_round = quietly(limits(hypothesis.given(**values)(test)))
        if not SECONDS:
            return one_round

        # Without its attributes, by which the plugin of pytest would take it for one round.
        @functools.wraps(one_round, updated=())
        def for_a_while(*args: Any, **kwargs: Any) -> None:
            end, number = time.monotonic() + SECONDS, FIRST_SEED
            while time.monotonic() < end:
                print(f"FUZZ_SEED={number}")  # noqa: T201 - shown if the test fails
                hypothesis.seed(number)(one_round)
                one_round(*args, **kwargs)
                number += 1

        return quietly(for_a_while)

    return decorate
