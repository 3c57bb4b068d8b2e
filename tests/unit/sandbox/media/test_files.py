"""Identity of files, and what an id can be used as."""

import pytest

from sandbox.errors import ApiError
from sandbox.media.files import Attachment, FileStore, Kind


def test_same_bytes_share_the_unique_id_and_nothing_else() -> None:
    store = FileStore()
    first = store.add(b"same", "video", ".mp4", "video/mp4")
    second = store.add(b"same", "video", ".mp4", "video/mp4")
    other = store.add(b"other", "video", ".mp4", "video/mp4")
    assert first.file_unique_id == second.file_unique_id != other.file_unique_id
    assert len({first.file_id, second.file_id, other.file_id}) == 3
    assert len({first.path, second.path, other.path}) == 3
    assert store.at(second.path) is store.get(second.file_id) is second
    assert store.at("videos/nothing") is None


def test_ids_of_one_store_are_nothing_to_another() -> None:
    stored = FileStore().add(b"a", "photo", ".jpg", "image/jpeg")
    other = FileStore()
    other.add(b"a", "photo", ".jpg", "image/jpeg")
    with pytest.raises(ApiError, match="wrong file identifier"):
        other.get(stored.file_id)


@pytest.mark.parametrize(
    ("kind", "wanted", "is_allowed"),
    [
        ("photo", "photo", True),
        ("photo", "document", False),
        ("video", "animation", False),
        ("video", "document", False),
        ("animation", "document", True),
        ("animation", "video", True),
        ("document", "animation", False),
        ("video_note", "video", False),
    ],
)
def test_id_keeps_its_kind(kind: Kind, wanted: Kind, is_allowed: bool) -> None:
    store = FileStore()
    stored = store.add(b"a", kind, "", "application/octet-stream")
    attachment = store.attach(Attachment(kind, {kind: stored.as_json()}), stored)
    if is_allowed:
        assert store.attachment(stored.file_id, wanted) is attachment
    else:
        with pytest.raises(ApiError, match="can't use file of type"):
            store.attachment(stored.file_id, wanted)
