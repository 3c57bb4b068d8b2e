"""The files of finished videos: fetch and delete them."""

from pathlib import Path

from bot.drafts.draft import Draft
from bot.drafts.draft_store import forget_draft
from bot.gateway.outgoing import OutgoingVideo
from bot.orders.order_cards import OrderCard
from bot.provenance.signing import Origin
from bot.services import Services
from jobs.errors import UserError
from jobs.orders import OrderState, Result
from jobs.service_errors import FileGone
from jobs.store.files import FileStore
from jobs.store.keys import result_folder
from jobs.wish import Wish


class ResultGone(UserError):
    """The file of a video is not stored any more."""

    sentence = (
        "The file of this video is not stored any more. Send the photo again to make a new one."
    )


async def fetch_result(services: Services, card: OrderCard, folder: Path) -> OutgoingVideo:
    """Fetch the result of an order into a folder, and return it as a video to send.

    Raises:
        ResultGone: it is not stored any more.
        QueueUnavailable, StoreUnavailable: a server does not answer.
    """
    status = await services.queues.status(card.ref)
    if status is None or status.state is not OrderState.DONE or status.result is None:
        raise ResultGone
    try:
        return await fetch_video(services.store, card, status.video(), folder)
    except FileGone as error:
        raise ResultGone from error


async def fetch_video(
    store: FileStore, card: OrderCard, result: Result, folder: Path
) -> OutgoingVideo:
    """Fetch a result into a folder, and return it as a video to send. Errors: see `fetch_files`."""
    path, thumbnail = await fetch_files(store, result.key, result.thumbnail_key, folder)
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


async def fetch_files(
    store: FileStore, key: str, thumbnail_key: str | None, folder: Path
) -> tuple[Path, Path | None]:
    """Fetch a video and its thumbnail into a folder; the thumbnail may be missing.

    Raises:
        FileGone: the video is not stored any more.
        StoreUnavailable: the store does not answer.
    """
    path, thumbnail = folder / "video.mp4", folder / "thumbnail.jpg"
    await store.fetch(key, path)
    if thumbnail_key is None:
        return path, None
    try:
        await store.fetch(thumbnail_key, thumbnail)
    except FileGone:
        return path, None
    return path, thumbnail


async def delete_result(services: Services, person_id: int, order_id: str) -> None:
    """Delete the files of an order's result and its history entry; the messages stay.

    Raises:
        QueueUnavailable, StoreUnavailable: some files may be deleted.
    """
    found = [file.key async for file in services.store.listing(result_folder(order_id))]
    await services.store.delete(found)
    await services.history.remove(person_id, order_id)


async def delete_result_and_draft(services: Services, draft: Draft, number: int) -> bool:
    """Delete the result of a draft's order, and the draft with its files; the messages stay.

    The draft stays while another order needs it: then return False.

    Raises:
        QueueUnavailable, StoreUnavailable: some files may be deleted.
    """
    await delete_result(services, draft.person_id, draft.order_id_of(number))
    if any(card.draft_id == draft.draft_id for card in await services.order_cards.all_open()):
        return False
    await forget_draft(services, draft.draft_id)
    return True


def file_stem(wish: Wish) -> str:
    """Return the name under which a result is saved, without suffix."""
    return f"animato-{wish.movement.template or ('voice' if wish.voice else 'video')}"
