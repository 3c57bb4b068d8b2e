"""The networks are loaded by one thread at a time."""

import threading
import time

import pytest

from inference.faces import loading


def test_threads_load_their_networks_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    at_once: list[int] = []

    class SlowToLoad:
        def __init__(self, _model: object) -> None:
            begun.append(1)
            time.sleep(0.05)
            at_once.append(len(begun))
            begun.pop()

    monkeypatch.setattr(loading, "_models", [object()])
    monkeypatch.setattr(loading, "Landmarker", SlowToLoad)
    threads = [threading.Thread(target=loading.landmarker) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert at_once == [1, 1, 1]
