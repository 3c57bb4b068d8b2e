"""What can be done with a finished video's file: have it untouched, have it deleted."""

from pathlib import Path

from bot.gateway.messenger import Video
from bot.office import Office
from bot.orders.order_cards import OrderCard
from jobs.connection import reaching
from jobs.drafts import Draft
from jobs.errors import UserError
from jobs.orders import OrderState, Result
from jobs.queues.outbox import Delivery, hand_in
from jobs.service_errors import FileGone
from jobs.store.files import FileStore
from jobs.store.keys import result_folder


class ResultGone(UserError):
    """The file of a video is not kept any more."""

    sentence = "The file of this video is not kept any more: order it again."


class ResultFiles:
    """The files of results.

    Args:
        office: the parts of the bot.
    """

    def __init__(self, office: Office) -> None:
        self._office = office

    async def wish(self, draft: Draft, number: int, tap: str) -> None:
        """Has the result of a draft's order sent as a file, once for each tap.

        Args:
            draft: whose.
            number: of the order.
            tap: Telegram's name of the tap.

        Raises:
            ResultGone: it is not kept any more.
            QueueUnavailable: the server does not answer.
        """
        card = await self._office.cards.read(draft.order_id_of(number))
        if card is None:
            raise ResultGone
        queues = self._office.queues
        status = await queues.status(card.ref)
        if status is None or status.state is not OrderState.DONE or status.result is None:
            raise ResultGone
        finished_ms = round((status.finished_s or 0) * 1000)
        wish = Delivery(queue=card.queue, job_id=card.order_id, finished_ms=finished_ms, tap=tap)
        await hand_in(queues, wish)

    async def fetched(self, card: OrderCard, folder: Path) -> tuple[Result, Video]:
        """The result of an order, and its file as it is sent, which is put into a folder.

        Raises:
            ResultGone: it is not kept any more.
            QueueUnavailable, StoreUnavailable: a server does not answer.
        """
        status = await self._office.queues.status(card.ref)
        if status is None or status.state is not OrderState.DONE or status.result is None:
            raise ResultGone
        result, path = status.video(), folder / "video.mp4"
        try:
            await self._office.store.fetch(result.key, path)
        except FileGone as error:
            raise ResultGone from error
        return result, video_of(card, result, path)

    async def delete(self, draft: Draft, number: int) -> bool:
        """Deletes the result of a draft's order, and the draft with its photo and clip.

        Photo and clip stay while another order needs them. The messages are the caller's.

        Returns:
            Whether photo and clip are deleted, too.

        Raises:
            QueueUnavailable, StoreUnavailable: some may be deleted.
        """
        office = self._office
        folder = result_folder(draft.order_id_of(number))
        found = [file.key async for file in office.store.listing(folder)]
        await office.store.delete(found)
        if any(card.draft == draft.draft for card in await office.cards.all_open()):
            return False
        await office.drafts.forget(draft.draft)
        with reaching(office.queues.url):
            await office.retention.forget(draft.draft, office.clock())
        return True


async def fetch_thumbnail(store: FileStore, result: Result, folder: Path) -> Path | None:
    """Fetch a result's thumbnail into a folder. Return None if there is none.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    if result.thumbnail_key is None:
        return None
    try:
        await store.fetch(result.thumbnail_key, folder / "thumbnail.jpg")
    except FileGone:
        return None
    return folder / "thumbnail.jpg"


def video_of(card: OrderCard, result: Result, path: Path, thumbnail: Path | None = None) -> Video:
    """A result as it is sent."""
    return Video(
        media=path,
        width=result.width,
        height=result.height,
        duration_s=result.duration_s,
        has_sound=result.has_sound,
        file_name=f"{card.order.motion.template or 'video'}.mp4",
        thumbnail=thumbnail,
    )
