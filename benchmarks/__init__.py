"""Benchmarks. They need a quiet machine and are not part of the tests."""

from inference.extras import let_threads_sleep

# As the engine does it, before torch is loaded.
let_threads_sleep()
