"""Small photos and clips, made where they are needed; each is made once."""

import math
from functools import cache
from io import BytesIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw

FRAMES, RATE_FPS = 10, 10
SOUND_RATE_HZ = 48_000


def picture(width: int = 160, height: int = 120, seed: int = 0) -> Image.Image:
    """A sky with a sun in it; the seed moves the sun."""
    image = Image.new("RGB", (width, height), (90, 150 + seed % 80, 220))
    sun = (seed * 7 % width, height // 4)
    ImageDraw.Draw(image).circle(sun, min(width, height) // 5, (255, 214, 90))
    return image


@cache
def photo(width: int = 160, height: int = 120, seed: int = 0) -> bytes:
    """A JPEG."""
    return _saved(picture(width, height, seed), "JPEG")


@cache
def webp() -> bytes:
    """What a sticker is made of."""
    return _saved(picture(512, 512), "WEBP")


@cache
def gif() -> bytes:
    """Three frames that move."""
    file = BytesIO()
    first, *others = (picture(64, 48, seed) for seed in range(3))
    first.save(file, "GIF", save_all=True, append_images=others, duration=100, loop=0)
    return file.getvalue()


@cache
def clip(width: int = 96, height: int = 64, *, has_sound: bool = False, seed: int = 0) -> bytes:
    """An mp4 of one second."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=RATE_FPS, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=SOUND_RATE_HZ) if has_sound else None
        for number in range(FRAMES):
            pixels = np.asarray(picture(width, height, seed + number))
            frame = VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(_tone()))
            container.mux(audio.encode(None))
    return file.getvalue()


def frames(content: bytes) -> list[np.ndarray]:
    """What a clip decodes to, as RGB."""
    with av.open(BytesIO(content), "r") as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def shown(content: bytes) -> tuple[int, int, int]:
    """Width, height and number of the frames that a clip decodes to."""
    found = frames(content)
    ((height, width, _),) = {frame.shape for frame in found}
    return width, height, len(found)


def _tone() -> AudioFrame:
    times = np.arange(SOUND_RATE_HZ) / SOUND_RATE_HZ
    wave = (0.2 * np.sin(2 * math.pi * 440 * times)).astype(np.float32)
    frame = AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate = SOUND_RATE_HZ
    return frame


def _saved(image: Image.Image, kind: str) -> bytes:
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


@cache
def voice(container_format: str = "ogg") -> bytes:
    """A recording of one second, with Opus."""
    file = BytesIO()
    with av.open(file, "w", format=container_format) as container:
        audio = container.add_stream("libopus", rate=SOUND_RATE_HZ)
        container.mux(audio.encode(_tone()))
        container.mux(audio.encode(None))
    return file.getvalue()


@cache
def webm(width: int = 64, height: int = 48, rate_fps: int = 25, frame_count: int = 3) -> bytes:
    """A few grey frames as a WebM."""
    file = BytesIO()
    with av.open(file, "w", format="webm") as container:
        options = {"cpu-used": "8", "deadline": "realtime"}
        video = container.add_stream("libvpx-vp9", rate=rate_fps, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        grey = np.full((height, width, 3), 128, np.uint8)
        for _ in range(frame_count):
            container.mux(video.encode(VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(video.encode(None))
    return file.getvalue()


def video_sticker() -> bytes:
    """A WebM that Telegram takes as a sticker."""
    return webm(512, 512)
