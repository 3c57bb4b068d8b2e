"""The errors of the service: orders, Redis/Valkey and the file store.

    UserError
    +- MediaError         FileLost, TelegramSilent
    +- OrderRefused       OrderNotFailed, TooManyOpenOrders, TooManyOrdersToday, QueueFull,
    |                     TooManyPhotos, TooManyMediaJobs
    OperatorError
    +- QueueError         QueueUnavailable, QueueServerMissing, QueueServerFailed, QueueFolderBusy
    +- StoreError         StoreUnavailable, StoreFull, FileGone
    +- RecordError        UnknownSchema, BrokenRecord
    +- FolderRefused, TelegramUnavailable, OrderFailed, OrderStalled

They are part of the tree of `jobs/errors.py`. Errors that end a job must be defined in one of these
files or in `jobs/weights_errors.py`: `error_from_dict` reads no others.
"""

from typing import Any

from jobs import errors, weights_errors
from jobs.errors import AnimatoError, MediaError, OperatorError, UserError


class QueueError(OperatorError):
    """About the Redis or Valkey that keeps the queues, embedded or not."""


class QueueUnavailable(QueueError):
    """The server does not answer, or refuses; `place` is its host and port."""

    sentence = (
        "The queues at {place} cannot be used ({reason}): check that the server runs and that "
        "ANIMATO_REDIS_URL is right."
    )


class QueueServerMissing(QueueError):
    sentence = (
        "There is no Valkey or Redis of version {minimum} or newer to keep the queues: run "
        "`docker run -d --name animato-valkey -p 127.0.0.1:6379:6379 valkey/valkey valkey-server "
        "--appendonly yes --maxmemory-policy noeviction` and set "
        "ANIMATO_REDIS_URL=redis://127.0.0.1:6379."
    )


class QueueServerFailed(QueueError):
    """The embedded server did not start, or died too often."""

    sentence = (
        "The Redis server ({program}) {what}: {reason}. Its files are in {folder}; the log has its "
        "last lines."
    )


class QueueFolderBusy(QueueError):
    """Two embedded servers in one folder would destroy each other's files."""

    sentence = (
        "{folder} is in use by another animato: stop that one, or set ANIMATO_DATA_DIR to "
        "another folder."
    )


class FolderRefused(OperatorError):
    """A folder in the data folder cannot be made or written: the server's, or a worker's."""

    sentence = "{folder} cannot be written ({reason}): set ANIMATO_DATA_DIR to a writable folder."


class TelegramUnavailable(OperatorError):
    """The Bot API does not answer, or refuses; `place` is its address."""

    sentence = (
        "Telegram at {place} cannot be used ({reason}): check the connection and "
        "ANIMATO_BOT_API_URL, and start the bot again."
    )


class FileLost(MediaError):
    sentence = "Telegram no longer has {name}. Please send it again."


class TelegramSilent(MediaError):
    sentence = "{name} could not be fetched from Telegram for hours. Please send it again."


class StoreError(OperatorError):
    """About the file store."""


class StoreUnavailable(StoreError):
    sentence = (
        "The file store {place} cannot be used ({reason}): check that it runs and that "
        "ANIMATO_STORE_URL is right."
    )


class StoreFull(StoreError):
    """Less room than the limit, found before anything is written; or the disk is full."""

    sentence = "The file store {place} has {free_mb} MB left: free some space and try again."


class FileGone(StoreError):
    """A file that the store does not have, or no longer has."""

    sentence = "The file store has no file {key}: it was deleted or has expired."


class OrderRefused(UserError):
    """An order that is not accepted."""


class TooManyOpenOrders(OrderRefused):
    sentence = (
        "{count} of your videos are still being made, and the limit is {limit}: wait for one of "
        "them or cancel one."
    )


class TooManyOrdersToday(OrderRefused):
    sentence = (
        "You have reached {limit} videos in 24 hours; the next one is possible in {hours} h "
        "{minutes} min."
    )


class QueueFull(OrderRefused):
    sentence = "The queue is full: {waiting} videos are waiting. Try again later."


class VoicesNotTaken(OrderRefused):
    """Some workers are of a version that cannot make photos speak."""

    sentence = (
        "Photos cannot speak here yet: the owner of this bot has to update all its workers first. "
        "Choose a movement, or send a clip."
    )


class PhotoBlocked(OrderRefused):
    """The owner has blocked this photo; `contact` is how to reach the owner, or empty."""

    sentence = (
        "This photo was reported, and the owner of this bot has blocked it. If that is a mistake, "
        "ask the owner."
    )


class TooManyPhotos(OrderRefused):
    sentence = (
        "I am still looking at {count} of your photos, which is the limit. This one is kept: try "
        "again when the others are done."
    )


class TooManyMediaJobs(OrderRefused):
    sentence = (
        "I am still working on {count} of your requests, which is the limit. Try again when one of "
        "them is done."
    )


class OrderNotFailed(OrderRefused):
    """A retry of an order that did not fail, or is no longer known."""

    sentence = "The order {order} has not failed: only failed orders can be tried again."


class RecordError(OperatorError):
    """About a stored value that cannot be read."""


class UnknownSchema(RecordError):
    sentence = (
        "A stored {kind} has the format {found}, and this program reads {known}: run the "
        "same version of animato for the bot and all workers."
    )


class BrokenRecord(RecordError):
    sentence = "A stored {kind} cannot be read ({reason}): remove it, or order again."


class OutdatedOrder(UserError):
    """An order that an earlier version took, and that lacks what this one needs."""

    sentence = (
        "This order was placed before an update and cannot be finished. Tap Another movement and "
        "choose again."
    )


class OrderFailed(OperatorError):
    """An order that failed for a reason that no other error names."""

    sentence = "The order {order} failed: the worker's log says why."


class OrderStalled(OperatorError):
    sentence = "The order {order} failed: each worker that took it died or froze."


_STORED = {
    name: kind
    for name, kind in (vars(errors) | vars(weights_errors) | globals()).items()
    if isinstance(kind, type) and issubclass(kind, AnimatoError)
}


def error_from_dict(data: dict[str, Any]) -> AnimatoError:
    """Return the error that `AnimatoError.to_dict` wrote.

    Raises:
        KeyError: `data` names an unknown error, or a field of its sentence is missing.
    """
    return _STORED[data["error"]](**data["fields"])
