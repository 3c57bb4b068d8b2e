"""The files of finished videos: send one unchanged, delete it."""

from pathlib import Path

from bot.drafts.draft import Draft
from bot.drafts.draft_store import forget_draft
from bot.gateway.outgoing import OutgoingVideo
from bot.orders.order_cards import OrderCard
from bot.provenance.signing import Origin
from bot.services import Services
from jobs.errors import UserError
from jobs.orders import OrderState, Result
from jobs.queues.outbox import DeliveryJob, hand_in
from jobs.service_errors import FileGone
from jobs.store.files import FileStore
from jobs.store.keys import result_folder
from jobs.wish import Wish


class ResultGone(UserError):
    """The file of a video is not stored any more."""

    sentence = "The file of this video is not stored any more: order it again."


class ResultFiles:
    """Sends and deletes the files of results."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def request(self, draft: Draft, number: int, tap: str) -> None:
        """Request the result of a draft's order as a file, once for each tap.

        Args:
            draft: the draft.
            number: the order's number.
            tap: the callback query's id.

        Raises:
            ResultGone: it is not stored any more.
            QueueUnavailable: Redis does not answer.
        """
        card = await self._services.order_cards.read(draft.order_id_of(number))
        if card is None:
            raise ResultGone
        queues = self._services.queues
        status = await queues.status(card.ref)
        if status is None or status.state is not OrderState.DONE or status.result is None:
            raise ResultGone
        finished_ms = round((status.finished_s or 0) * 1000)
        job = DeliveryJob(
            queue=card.ref.queue, job_id=card.order_id, finished_ms=finished_ms, tap=tap
        )
        await hand_in(queues, job)

    async def fetch(self, card: OrderCard, folder: Path) -> tuple[Result, OutgoingVideo]:
        """Fetch the result of an order into a folder.

        Raises:
            ResultGone: it is not stored any more.
            QueueUnavailable, StoreUnavailable: a server does not answer.
        """
        status = await self._services.queues.status(card.ref)
        if status is None or status.state is not OrderState.DONE or status.result is None:
            raise ResultGone
        result, path = status.video(), folder / "video.mp4"
        try:
            await self._services.store.fetch(result.key, path)
        except FileGone as error:
            raise ResultGone from error
        thumbnail = await fetch_thumbnail(self._services.store, result.thumbnail_key, folder)
        return result, video_of(card, result, path, thumbnail)

    async def delete(self, draft: Draft, number: int) -> bool:
        """Delete the result of a draft's order and its history entry, and the draft with its files.

        The files stay while another order needs them: then return False. The caller deletes
        the messages.

        Raises:
            QueueUnavailable, StoreUnavailable: some files may be deleted.
        """
        services = self._services
        folder = result_folder(draft.order_id_of(number))
        found = [file.key async for file in services.store.listing(folder)]
        await services.store.delete(found)
        await services.history.remove(draft.person_id, draft.order_id_of(number))
        if any(card.draft_id == draft.draft_id for card in await services.order_cards.all_open()):
            return False
        await forget_draft(services, draft.draft_id)
        return True


async def fetch_thumbnail(store: FileStore, key: str | None, folder: Path) -> Path | None:
    """Fetch a result's thumbnail into a folder. Return None if there is none.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    if key is None:
        return None
    try:
        await store.fetch(key, folder / "thumbnail.jpg")
    except FileGone:
        return None
    return folder / "thumbnail.jpg"


def file_stem(wish: Wish) -> str:
    """Return the name under which a result is saved, without suffix."""
    return f"animato-{wish.movement.template or ('voice' if wish.voice else 'video')}"


def video_of(
    card: OrderCard, result: Result, path: Path, thumbnail: Path | None = None
) -> OutgoingVideo:
    """Return a result as a video to send."""
    return OutgoingVideo(
        media=path,
        width=result.width,
        height=result.height,
        duration_s=result.duration_s,
        has_sound=result.has_sound,
        file_name=f"{file_stem(card.order.wish)}.mp4",
        thumbnail=thumbnail,
        origin=Origin(result.engine, result.label, result.digital_source_type),
    )
