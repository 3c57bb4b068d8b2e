"""Run the steps of a pipeline concurrently, each a bounded number of items ahead of the next."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """Marks the end of the items; `error` is the exception that ended them, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[Item], *, size: int) -> Generator[Item]:
    """Yield the items, computed in a thread up to `size` items ahead.

    An exception of `items` is raised here after the items before it. If the consumer stops early,
    the thread has ended when this generator is closed.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(maxsize=size)
    stopped = threading.Event()

    thread = threading.Thread(
        target=_work, args=(items, waiting, stopped), name="ahead", daemon=True
    )
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()


def _work(
    items: Iterator[Item], waiting: "queue.Queue[Item | _End]", stopped: threading.Event
) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            _put(item, waiting, stopped)
            if stopped.is_set():
                break
    except BaseException as problem:  # noqa: BLE001 - raised again in the consumer's thread
        error = problem
    _put(_End(error), waiting, stopped)


def _put(item: Item | _End, waiting: "queue.Queue[Item | _End]", stopped: threading.Event) -> None:
    """Wait for space in the queue until the consumer stops."""
    while not stopped.is_set():
        try:
            waiting.put(item, timeout=0.05)
        except queue.Full:
            continue
        return
