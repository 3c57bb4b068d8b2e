"""The errors of the service's ground: the queues, their server and the file store.

    UserError
    +- OrderRefused       OrderNotFailed
    |  +- TooManyJobs     a limit: TooManyOpenOrders, TooManyOrdersToday, QueueFull,
    |  |                  TooManyPhotos
    OperatorError
    +- QueueError         QueueUnavailable, QueueServerMissing, QueueServerFailed, ...
    +- StoreError         StoreUnavailable, StoreFull, FileGone
    +- RecordError        UnknownSchema, BrokenRecord
    +- FolderRefused, TelegramUnavailable, OrderFailed, OrderStalled

They belong to the tree of `jobs/errors.py`, and `AnimatoError.from_dict` knows them wherever this
file is loaded; the queues and the file store load it.
"""

from jobs.errors import OperatorError, UserError


class QueueError(OperatorError):
    """About the server that keeps the queues: a Valkey or Redis, ours or another's."""


class QueueUnavailable(QueueError):
    """The server does not answer, or not as it should; `place` is its host and port."""

    sentence = (
        "The queues at {place} cannot be used ({reason}): check that the server runs and that "
        "ANIMATO_REDIS_URL is right."
    )


class QueueServerMissing(QueueError):
    """No server program was found to keep the queues with."""

    sentence = (
        "There is no Valkey or Redis of version {minimum} or newer to keep the queues: run "
        "`docker run -d --name animato-valkey -p 127.0.0.1:6379:6379 valkey/valkey valkey-server "
        "--appendonly yes --maxmemory-policy noeviction` and set "
        "ANIMATO_REDIS_URL=redis://127.0.0.1:6379."
    )


class QueueServerFailed(QueueError):
    """Our own server did not start, or died again and again."""

    sentence = (
        "The server of the queues ({program}) {what}: {reason}. Its files are in {folder}; the log "
        "has its last words."
    )


class QueueFolderBusy(QueueError):
    """Two of our servers in one folder would destroy each other's files."""

    sentence = (
        "{folder} is in use by another animato: stop that one, or let ANIMATO_DATA_DIR name "
        "another folder."
    )


class FolderRefused(OperatorError):
    """A folder in the data folder cannot be made or written: our own server's, or a worker's."""

    sentence = "{folder} cannot be written ({reason}): let ANIMATO_DATA_DIR name a folder that can."


class TelegramUnavailable(OperatorError):
    """The server of the Bot API does not answer, or refuses; `place` is its address."""

    sentence = (
        "Telegram at {place} cannot be used ({reason}): check the connection and "
        "ANIMATO_BOT_API_URL, and start the bot again."
    )


class StoreError(OperatorError):
    """About the file store."""


class StoreUnavailable(StoreError):
    """The store does not answer, or refuses."""

    sentence = (
        "The file store {place} cannot be used ({reason}): check that it runs and that "
        "ANIMATO_STORE_URL is right."
    )


class StoreFull(StoreError):
    """Less room than the limit, told before anything is written; or the disk is full."""

    sentence = "The file store {place} has {free_mb} MB left: free some space and try again."


class FileGone(StoreError):
    """A file that the store does not have, or not any more."""

    sentence = "The file store has no file {key}: it was deleted, or its time was over."


class OrderRefused(UserError):
    """An order that is not taken."""


class TooManyJobs(OrderRefused):
    """No place for another order at the moment."""


class TooManyOpenOrders(TooManyJobs):
    """The person has as many unfinished orders as are allowed."""

    sentence = (
        "{count} of your videos are still being made, and more than {limit} at a time are not "
        "taken: wait for one of them or cancel one."
    )


class TooManyOrdersToday(TooManyJobs):
    """The person has had as many orders within a day as are allowed."""

    sentence = (
        "More than {limit} videos within 24 hours are not taken: order the next one in {hours} h "
        "{minutes} min."
    )


class QueueFull(TooManyJobs):
    """As many orders of all persons wait as are allowed."""

    sentence = "{waiting} videos are waiting already, and no more are taken: try again later."


class TooManyPhotos(TooManyJobs):
    """As many of the person's photos wait to be looked at as are allowed."""

    sentence = (
        "{count} of your photos still wait for me to look at them, and I take no more at a time. "
        "This one is kept: try again when the others are done."
    )


class OrderNotFailed(OrderRefused):
    """A second try was asked for an order that did not fail, or is not known any more."""

    sentence = "The order {order} has not failed: only failed orders can be tried again."


class RecordError(OperatorError):
    """About a value in the queues that cannot be read."""


class UnknownSchema(RecordError):
    """A value of a form that this program does not know."""

    sentence = (
        "A stored {kind} has the form {found}, and this program knows the form {known}: let the "
        "bot and all workers run the same version of animato."
    )


class BrokenRecord(RecordError):
    """Something that is not the value that it should be."""

    sentence = "A stored {kind} cannot be read ({reason}): remove it, or order again."


class OutdatedOrder(UserError):
    """An order that an earlier version took, and that lacks what this one needs."""

    sentence = (
        "This order was placed before an update and cannot be finished. Tap Another movement and "
        "choose again."
    )


class OrderFailed(OperatorError):
    """An order that came to nothing, for a reason that no other error names."""

    sentence = "The order {order} failed: the worker's log says why."


class OrderStalled(OperatorError):
    """An order during which one worker after the other died or froze."""

    sentence = "The order {order} was given up: the workers that took it died or froze each time."
