"""Downloads from a real server on loopback, well-behaved and otherwise."""

import gzip
from pathlib import Path

import pytest

from inference.weights.catalogue import WeightsCatalogue
from inference.weights.store import WeightsStore
from jobs.weights_errors import DownloadFailed
from tests.integration.conftest import CONTENT, HASTY, Make, fetched, known, part_of, visible
from tests.integration.file_server import (
    Answer,
    FileServer,
    Handler,
    at_most,
    breaks_off,
    claims,
    ends_early,
    falls_silent,
    goes_on_and_on,
    ignores_range,
    lies,
    sends,
    sends_without_length,
    status,
)

pytestmark = pytest.mark.local_sockets

HALF = len(CONTENT) // 2
OTHER = bytes(len(CONTENT))
PAGE = b"\n<!DOCTYPE html><html>Too many users have downloaded this file</html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abb4\nsize 300000\n"


# --- as it should be ------------------------------------------------------------------------------


def test_first_mirror_alone_is_asked_when_it_is_right(make: Make, server: FileServer) -> None:
    assert fetched(make()) == CONTENT
    assert server.requests == [("/one", None)]


def test_file_that_is_there_is_not_fetched_again(make: Make, server: FileServer) -> None:
    fetched(make())
    fetched(make())
    store = make()
    store.fetch(store.catalogue.files[0])
    assert len(server.requests) == 1


def test_setting_takes_the_place_of_all_addresses(make: Make, server: FileServer) -> None:
    assert fetched(make(mirror=server.url("/my/"))) == CONTENT
    assert server.requests == [("/my/aux.pth", None)]


def test_redirects_are_followed(make: Make, server: FileServer) -> None:
    server.plan("/one", status(302, Location="/elsewhere"))
    assert fetched(make()) == CONTENT
    assert [path for path, _ in server.requests] == ["/one", "/elsewhere"]


def test_file_of_unknown_size_is_fetched(make: Make, server: FileServer) -> None:
    server.plan("/one", sends_without_length(CONTENT))
    assert fetched(make(size_bytes=None, about_bytes=HALF * 2)) == CONTENT


# --- resuming -------------------------------------------------------------------------------------


def test_broken_transfer_goes_on_where_it_ended(make: Make, server: FileServer) -> None:
    server.plan("/one", breaks_off(100_000))
    assert fetched(make()) == CONTENT
    assert server.requests == [("/one", None), ("/one", "bytes=100000-")]


def test_body_that_ends_too_early_without_a_length_goes_on_too(
    make: Make, server: FileServer
) -> None:
    server.plan("/one", ends_early(100_000))
    assert fetched(make()) == CONTENT
    assert server.ranges("/one") == [None, "bytes=100000-"]


def test_silent_mirror_is_called_again(make: Make, server: FileServer) -> None:
    server.plan("/one", falls_silent(100_000))
    assert fetched(make(read_s=1)) == CONTENT
    assert server.ranges("/one") == [None, "bytes=100000-"]


def test_mirror_that_gives_short_parts_is_asked_for_more(make: Make, server: FileServer) -> None:
    server.plan("/one", at_most(120_000), at_most(120_000), at_most(120_000))
    assert fetched(make()) == CONTENT
    assert server.ranges("/one") == [None, "bytes=120000-", "bytes=240000-"]


def test_mirror_that_ignores_the_range_sends_all_again(make: Make, server: FileServer) -> None:
    server.plan("/one", breaks_off(100_000), ignores_range)
    assert fetched(make()) == CONTENT


def test_file_that_changed_between_two_requests_is_begun_again(
    make: Make, server: FileServer
) -> None:
    def breaks_off_and_changes(handler: Handler) -> None:
        handler.ours.content = OTHER
        breaks_off(100_000)(handler)
        handler.ours.content = CONTENT

    server.plan("/one", breaks_off_and_changes)
    assert fetched(make()) == CONTENT
    assert server.ranges("/one") == [None, "bytes=100000-", None]


def test_part_that_begins_elsewhere_is_not_taken(make: Make, server: FileServer) -> None:
    server.plan("/one", breaks_off(100_000), claims(f"bytes 5-14/{len(CONTENT)}"))
    assert fetched(make()) == CONTENT
    assert server.ranges("/one") == [None, "bytes=100000-", None]


def test_next_start_goes_on_and_next_mirror_too(make: Make, server: FileServer) -> None:
    server.plan("/one", breaks_off(100_000), status(404))
    server.plan("/two", status(404))
    with pytest.raises(DownloadFailed):
        make().file("aux.pth", may_fetch=True)
    assert part_of(make()).stat().st_size == 100_000
    server.plan("/one", status(404))
    assert fetched(make()) == CONTENT
    assert server.ranges("/two")[-1] == "bytes=100000-"


def test_old_part_of_another_file_is_thrown_away_and_all_comes_from_one_mirror(
    make: Make, server: FileServer
) -> None:
    store = make()
    store.folder.mkdir()
    part_of(store).write_bytes(OTHER[:100_000])
    assert fetched(store) == CONTENT
    assert server.ranges("/one") == ["bytes=100000-", None]


def test_whole_part_needs_no_mirror_at_all(make: Make, server: FileServer) -> None:
    store = make()
    store.folder.mkdir()
    part_of(store).write_bytes(CONTENT)
    assert fetched(store) == CONTENT
    assert server.requests == []


def test_whole_part_of_unknown_size_is_recognised(make: Make, server: FileServer) -> None:
    store = make(size_bytes=None, about_bytes=len(CONTENT))
    store.folder.mkdir()
    part_of(store).write_bytes(CONTENT)
    assert fetched(store) == CONTENT
    assert server.ranges("/one") == [f"bytes={len(CONTENT)}-"]


# --- mirrors that give something else -------------------------------------------------------------


def packed(handler: Handler) -> None:
    """The file, compressed without having been asked for that."""
    content = gzip.compress(handler.ours.content)
    handler.head(200, len(content), Content_Encoding="gzip")
    handler.wfile.write(content)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (sends(PAGE), "web page, not weights (download quota?)"),
        (sends(b"quota", "text/html; charset=utf-8"), "web page, not weights (download quota?)"),
        (sends_without_length(PAGE), "web page, not weights (download quota?)"),
        (sends(POINTER), "Git-LFS pointer"),
        (lies(len(CONTENT) + 5), "300005 bytes instead of 300000"),
        (lies(HALF), "150000 bytes instead of 300000"),
        (sends(b""), "0 bytes instead of 300000"),
        (sends(OTHER), "another file than the published one"),
        (sends_without_length(CONTENT + b"!"), "more than 300000 bytes"),
        (packed, "it compresses the file (gzip)"),
        (status(403), "access is forbidden (403)"),
        (status(404), "no longer exists (404)"),
        (status(410), "no longer exists (410)"),
        (status(429), "too many people are downloading (429)"),
        (status(429, Retry_After="3600"), "too many people are downloading (429)"),
        (status(500), "answers with status 500"),
        (status(503, Retry_After="soon"), "busy (503)"),
        (status(304), "answers with status 304"),
        (status(302, Location="ftp://127.0.0.1/a"), "not http or https"),
        (status(302, Location="/one"), "redirects too many times"),
        (breaks_off(0), "broke off"),
    ],
)
def test_next_mirror_is_asked_and_the_reason_is_said(
    make: Make, server: FileServer, said: list[str], answer: Answer, words: str
) -> None:
    server.plan("/one", *[answer] * 7)
    assert fetched(make()) == CONTENT
    assert server.ranges("/two") == [None]
    assert any(words in sentence for sentence in said)


def test_next_mirror_is_asked_when_the_first_is_silent(
    make: Make, server: FileServer, said: list[str]
) -> None:
    server.plan("/one", *[falls_silent(0)] * 7)
    assert fetched(make(read_s=1)) == CONTENT
    assert server.ranges("/two") == [None]
    assert any("no more data arrived" in sentence for sentence in said)


def test_mirror_that_never_ends_is_left_at_once(make: Make, server: FileServer) -> None:
    server.plan("/one", goes_on_and_on)
    assert fetched(make()) == CONTENT
    assert server.left.wait(60)


def test_mirror_that_does_not_answer_is_passed_over(
    server: FileServer, said: list[str], tmp_path: Path
) -> None:
    with FileServer(b"") as closed:
        nobody = closed.url("/one")
    wanted = known(tmp_path, [nobody, server.url("/two")])
    store = WeightsStore(
        tmp_path / "store", WeightsCatalogue(files=(wanted,)), say=said.append, retry_policy=HASTY
    )
    assert fetched(store) == CONTENT
    assert any("no answer" in sentence for sentence in said)


def test_busy_mirror_is_given_the_time_that_it_asks_for(
    make: Make, server: FileServer, said: list[str]
) -> None:
    server.plan("/one", status(429, Retry_After="0"))
    assert fetched(make()) == CONTENT
    assert server.ranges("/two") == []
    assert any("trying again in 0 s" in sentence for sentence in said)


def test_mirror_that_breaks_off_again_and_again_is_left_in_the_end(
    make: Make, server: FileServer
) -> None:
    server.plan("/one", *[at_most(1000)] * 9)
    assert fetched(make()) == CONTENT
    assert len(server.ranges("/one")) == HASTY.attempts
    assert server.ranges("/two") == ["bytes=4000-"]


def test_failure_names_each_mirror_with_its_reason_and_the_folder(
    make: Make, server: FileServer
) -> None:
    server.plan("/one", status(404))
    server.plan("/two", sends(PAGE))
    store = make()
    with pytest.raises(DownloadFailed) as caught:
        store.file("aux.pth", may_fetch=True)
    sentence = str(caught.value)
    assert sentence.count("127.0.0.1:") == 2
    assert "(404); " in sentence
    assert "web page" in sentence
    assert str(store.folder) in sentence
    assert visible(store) == []


def test_password_of_a_mirror_is_in_no_message_and_no_file(
    make: Make, server: FileServer, said: list[str]
) -> None:
    server.plan("/aux.pth", breaks_off(1000), status(404))
    store = make(mirror=server.url("").replace("http://", "http://me:hidden@"))
    with pytest.raises(DownloadFailed) as caught:
        store.file("aux.pth", may_fetch=True)
    texts = [*said, str(caught.value)]
    texts += [path.read_text("latin-1") for path in store.folder.iterdir()]
    assert len(texts) > 2
    assert not any("hidden" in text for text in texts)
