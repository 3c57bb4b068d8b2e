"""Keys: who made a file and for whom, and nothing that leads out of the store."""

import pytest

from jobs.store.keys import (
    check_key,
    clip_key,
    draft_folders,
    folder_of,
    input_key,
    is_key,
    look_key,
    result_folder,
    result_key,
    template_key,
    track_key,
)

DIGEST = "0123456789abcdef" * 4


def test_track_of_the_owners_movement_lies_beside_its_clip() -> None:
    clip = template_key(DIGEST, "clip.mp4")
    assert clip == f"templates/{DIGEST}/clip.mp4"
    assert track_key(clip) == template_key(DIGEST, "track.npz")
    assert track_key(template_key(DIGEST, "preview.mp4")) is None


def test_layout_is_the_documented_one() -> None:
    assert input_key("7", "photo.jpg") == "inputs/7/photo.jpg"
    assert look_key("7", "sheet.png") == "looks/7/sheet.png"
    assert result_key("-100123-7-2", 3) == "results/-100123-7-2/3.mp4"


def test_every_file_of_a_draft_or_an_order_is_in_its_folder() -> None:
    folders = {folder_of(input_key("7", "a")), folder_of(look_key("7", "b"))}
    assert folders == set(draft_folders("7"))
    assert (
        folder_of(result_key("7-1", 1)) == folder_of(result_key("7-1", 2)) == result_folder("7-1")
    )


def test_same_clip_of_two_drafts_has_one_track() -> None:
    clips = [clip_key(draft, f"look-{draft}-1", DIGEST) for draft in ("7", "8")]
    assert clips[0] == f"looks/7/look-7-1-{DIGEST}.mp4"
    assert {track_key(clip) for clip in clips} == {f"tracks/{DIGEST}/track.npz"}


@pytest.mark.parametrize(
    "key",
    [
        "looks/7/look-7-1-clip.mp4",
        f"looks/7/look-7-1-{DIGEST}.png",
        f"looks/7/look-7-1-{DIGEST[:-1]}.mp4",
        f"looks/7/look-7-1-{DIGEST[:-1]}G.mp4",
        f"inputs/7/clip-{DIGEST}.mp4",
        f"looks/7/look-7-1-{DIGEST}.mp4\n",
    ],
)
def test_other_files_have_no_track(key: str) -> None:
    assert track_key(key) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/..",
        "a..b",
        ".",
        "a/.hidden",
        ".incoming/a",
        "a b",
        "a\n",
        "a\\b",
        "ä",
        "a#1",
        "a%2e",
        "a:b",
        "a" * 201,
        "/".join("a" * 11),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    assert not is_key(text)
    with pytest.raises(ValueError, match="is no"):
        check_key(text)


@pytest.mark.parametrize("name", ["", "..", "a/b", "/a", ".a"])
def test_part_that_would_be_more_or_less_than_one_is_refused(name: str) -> None:
    for make in (draft_folders, result_folder, lambda name: input_key("1", name)):
        with pytest.raises(ValueError, match="is no"):
            make(name)
