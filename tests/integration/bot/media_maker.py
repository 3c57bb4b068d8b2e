"""What a play-acting worker makes for the queue `media`."""

from pydantic import JsonValue

from jobs.media_jobs import MediaJob, MediaResult
from jobs.media_tasks import CheckTemplate, Form, MakeForm
from jobs.store.files import FileStore
from tests.integration.sandbox import media
from tests.wishes import make_clip


async def made_media(job: MediaJob, store: FileStore) -> MediaResult:
    """The result of a job: small files of the right kinds, in the store."""
    task = job.task
    if isinstance(task, MakeForm):
        await store.get(task.video)  # it was fetched
    name, content, size, duration_s = {
        Form.VIDEO: ("video.mp4", media.clip(has_sound=True), (96, 64), 8.0),
        Form.ROUND: ("round.mp4", media.clip(96, 96), (96, 96), 1.0),
        Form.GIF: ("animation.gif", media.gif(), (64, 48), 1.0),
        Form.STICKER: ("sticker.webm", media.video_sticker(), (512, 512), 0.1),
        "sheet": ("sheet.jpg", media.photo(), (160, 120), 0.0),
        "chart": ("chart.png", media.photo(), (160, 120), 0.0),
        "template": ("preview.mp4", media.clip(), (96, 64), 1.0),
    }[task.form if isinstance(task, MakeForm) else task.kind]
    names: tuple[str, ...] = (name, "thumbnail.jpg") if name.endswith(".mp4") else (name,)
    facts: dict[str, JsonValue] = {}
    if isinstance(task, CheckTemplate):
        await store.get(task.clip)  # it was fetched
        names = (name, "clip.mp4", "track.npz")
        facts["clip"] = make_clip("clip.mp4", frame_count=80).model_dump(mode="json")
    made = MediaResult(
        job_id=job.job_id,
        names=names,
        size_bytes=len(content),
        width=size[0],
        height=size[1],
        duration_s=duration_s,
        has_sound=name == "video.mp4",
        facts=facts,
    )
    await store.put(made.key, content)
    for other in names[1:]:
        await store.put(made.key_of(other), media.photo())
    return made
