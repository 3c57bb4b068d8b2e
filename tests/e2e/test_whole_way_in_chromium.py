"""The whole way as a person goes it: a real browser, a mouse, and the real service behind it."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import FilePayload, expect
from skimage.data import astronaut

from sandbox.server import Sandbox
from tests.e2e.chat_page import NARROW, WIDE, Desktop, Screen
from tests.e2e.service import Service, service

pytest_plugins = ["tests.e2e.chat_page_fixtures"]

pytestmark = [pytest.mark.local_sockets, pytest.mark.asyncio(loop_scope="module")]

VIDEO_MS = 240_000  # all movements of a photo, on a machine that others use too
# True once what is shown has moved on by itself.
PLAYS = """async video => {
    const begun = video.currentTime;
    for (let i = 0; i < 400; i++) {
        if (video.readyState > 1 && video.currentTime !== begun) return true;
        await new Promise(done => setTimeout(done, 25));
    }
    return false;
}"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        async with service(tmp_path_factory.mktemp("service")) as found:
            yield found


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(whole: Service) -> Sandbox:
    """In the place of the one without a service."""
    return whole.sandbox


async def press(screen: Screen, label: str) -> None:
    """Clicks on the last button with this label, as soon as it is there."""
    button = screen.page.locator("#timeline").get_by_role("button", name=label).last
    await button.wait_for(timeout=VIDEO_MS)
    await button.click()


async def send_photo(screen: Screen) -> None:
    """Chooses a portrait from the disk, and sends it."""
    file = BytesIO()
    Image.fromarray(astronaut()[:400, 60:460]).save(file, "JPEG", quality=95)
    photo = FilePayload(name="me.jpg", mimeType="image/jpeg", buffer=file.getvalue())
    await screen.at("attach-button").click()
    async with screen.page.expect_file_chooser() as choosing:
        await screen.page.get_by_role("menuitem", name="Photo or video").click()
    await (await choosing.value).set_files(photo)
    await screen.at("send-button").click()


async def see_video(screen: Screen, number: int) -> None:
    """Waits until there are so many videos, and the last of them plays."""
    videos = screen.page.locator("#timeline video")
    await expect(videos).to_have_count(number, timeout=VIDEO_MS)
    assert await videos.last.evaluate(PLAYS)


async def test_newcomer_sees_all_movements_of_their_photo_and_takes_one(desktop: Desktop) -> None:
    screen = await desktop.open(WIDE, "/?user=7&chat=7")
    await screen.at("start-button").click()
    await expect(screen.text("Hello!").first).to_be_visible()
    await send_photo(screen)
    await press(screen, "I agree")
    await expect(screen.text("Which movement?")).to_be_visible(timeout=VIDEO_MS)
    await desktop.photograph(screen, "movements")
    await press(screen, "Show me all")
    await expect(screen.text("9 movements").first).to_be_visible()
    await desktop.photograph(screen, "status")
    await see_video(screen, 1)
    await desktop.photograph(screen, "all")
    await press(screen, "8")
    await see_video(screen, 2)
    await desktop.photograph(screen, "video")
    await expect(screen.text("Blink").last).to_be_visible()
    assert await screen.fits()


async def test_whole_way_on_a_telephone_in_german(desktop: Desktop) -> None:
    screen = await desktop.open(NARROW, "/?user=8&chat=8")  # Bob's Telegram is German
    await screen.at("start-button").click()
    await send_photo(screen)
    await press(screen, "Einverstanden")
    await expect(screen.text("Welche Bewegung?")).to_be_visible(timeout=VIDEO_MS)
    await desktop.photograph(screen, "movements")
    await press(screen, "Blinzeln")
    await see_video(screen, 1)
    await desktop.photograph(screen, "video")
    await press(screen, "Andere Bewegung")
    await expect(screen.text("Welche Bewegung?")).to_be_visible(timeout=VIDEO_MS)
    assert await screen.fits()
