"""Texts that other programs and people write: records, settings, buttons, answers of a child.

What can be read is the same when it is written and read again; the rest is refused with one of our
errors.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import event
from hypothesis import strategies as st

from bot.callback_data import MOST_BYTES, ButtonAction, ButtonData
from bot.drafts.draft import Draft
from bot.orders.order_cards import OrderCard
from jobs.errors import BadSettings
from jobs.media_jobs import MediaJob, MediaResult
from jobs.orders import LookJob, LookResult, Order, Record, Result
from jobs.queues.delivery_records import DeliveryRecord
from jobs.service_errors import BrokenRecord, UnknownSchema
from jobs.settings import BOT_SECRETS, PREFIX, Settings
from tests.fuzz.mutations import mutated
from tests.fuzz.rounds import fuzzed
from tests.unit.jobs.test_orders import RECORDS

ROOT = Path(__file__).parents[2]

# Values that JSON can hold and that are seldom expected.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([1 << 31, 1 << 63, -(1 << 63), 1 << 64, 10**30, 1e308, -0.0, 1e-320, 1e22]),
    st.sampled_from([float("inf"), float("-inf"), float("nan")]),
    st.sampled_from(
        ["", "0", "1/0", "1e9999999", "0/1", "-1", "inf", "nan", "\ud800", "\0", "\u2028"]
    ),
    st.sampled_from(["../x", "/etc/passwd", "a" * 5000, "٣", "{}", "{name}", "%s", "true", "1_0"]),
    st.text(max_size=8),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: [[1]]),
    st.builds(lambda: {"a": 1}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a value."""
    yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*path, key))


@st.composite
def changed(draw: st.DrawFn, samples: Callable[[], Any]) -> Any:
    """One of these JSON values, one to three of whose parts are others, gone or renamed."""
    value = json.loads(json.dumps(draw(st.sampled_from(samples()))))
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from([path for path in places(value) if path] or [(0,)]))
        parent = value
        for key in path:
            parent = parent[key]
        if not isinstance(parent, dict | list) or not parent:
            return draw(ODD)
        match draw(st.sampled_from(["set", "set", "set", "swap", "drop", "add"])):
            case "set":
                parent[last] = draw(ODD)
            case "swap":
                other = draw(st.sampled_from(list(places(value))))
                found = value
                for key in other:
                    found = found[key]
                parent[last] = json.loads(json.dumps(found))
            case "drop":
                del parent[last]
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(["schema_version", "clip_key", "x", "error"]))] = draw(
                    ODD
                )
    return value


# --- records --------------------------------------------------------------------------------------

KINDS: tuple[type[Record], ...] = (
    *(Order, LookJob, LookResult, Result, Draft, OrderCard, DeliveryRecord, MediaJob, MediaResult),
)


@cache
def records() -> list[Any]:
    old = json.loads((ROOT / "tests/unit/jobs/records/version_1.json").read_text("utf-8"))
    return [*(json.loads(one.to_json()) for one in RECORDS), *old.values()]


@fuzzed(400, plain=changed(records), kind=st.sampled_from(KINDS))
def test_record_is_read_or_refused(plain: Any, kind: type[Record]) -> None:
    check_record(json.dumps(plain), kind)


@cache
def record_texts() -> list[bytes]:
    return [json.dumps(one).encode() for one in records()]


@fuzzed(200, data=mutated(record_texts), kind=st.sampled_from(KINDS))
def test_record_of_any_bytes_is_read_or_refused(data: bytes, kind: type[Record]) -> None:
    check_record(data, kind)


def check_record(text: str | bytes, kind: type[Record]) -> None:
    try:
        record = kind.read(text)
    except (BrokenRecord, UnknownSchema) as error:
        event(type(error).__name__)
        return
    event("read")
    assert kind.read(record.to_json()) == record


# --- buttons --------------------------------------------------------------------------------------

BUTTON_PARTS = st.one_of(
    st.sampled_from(
        ["v1", "v2", "", "|", "0", "-1", "9" * 50, "٣", "²", "1_0", " 1", "all", "each"]
    ),
    st.sampled_from(list(ButtonAction)).map(str),
    st.text(max_size=12),
)


@fuzzed(
    500,
    text=st.one_of(
        st.lists(BUTTON_PARTS, min_size=3, max_size=7).map("|".join),
        st.builds("v1|{}|{}|{}|{}".format, *[BUTTON_PARTS] * 4),
        st.text(),
    ),
)
def test_button_is_read_or_not_ours(text: str) -> None:
    button = ButtonData.decode(text)
    if button is not None and len(text.encode("utf-8", "surrogatepass")) < MOST_BYTES:
        assert ButtonData.decode(button.encode()) == button


@fuzzed(
    200,
    action=st.sampled_from(ButtonAction),
    draft=st.text("abcdefghijklmnopqrstuvwxyz234567", max_size=10),
    number=st.integers(0, 10**9),
    argument=st.text(max_size=40),
)
def test_button_that_can_be_made_is_read_again(
    action: ButtonAction, draft: str, number: int, argument: str
) -> None:
    button = ButtonData(action, draft, number, argument)
    try:
        text = button.encode()
    except ValueError:
        return
    assert len(text.encode()) <= MOST_BYTES
    assert ButtonData.decode(text) == button


# --- settings -------------------------------------------------------------------------------------

SETTING_VALUES = st.one_of(
    st.sampled_from(
        ["", " ", "0", "-1", "1e999", "nan", "inf", "true", "yes", "9" * 5000, "1_0", "٣"]
    ),
    st.sampled_from(
        ["4242:AbC", "1,2", ",", "[1]", "{}", "null", "auto", "cuda:0", "cuda:٣", "mesh"]
    ),
    st.sampled_from(["http://", "http://[", "http://[::1", "https://a:b@c:d", "redis://", "s3://"]),
    st.sampled_from(
        ["unix://\n", "file:///", "~", "~nobody", "::::", "127.0.0.1:99999", "[::1]:1"]
    ),
    st.text(st.characters(blacklist_characters="\0", codec="utf-8"), max_size=30),
    st.binary(max_size=12).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
)
NAMES = st.one_of(
    st.sampled_from([PREFIX + name.upper() for name in Settings.model_fields]),
    st.sampled_from(["REDIS_URL", "STORE_URL", "animato_open", "ANIMATO_", "ANIMATO_TOKEN"]),
)
SECRETS = tuple(name.upper() for name in (*BOT_SECRETS, "redis_url", "store_url"))
SECRET = "k5Wq0z"  # noqa: S105 - of this test


@fuzzed(400, variables=st.dictionaries(NAMES, SETTING_VALUES, max_size=4))
def test_settings_of_any_environment_are_read_or_refused(variables: dict[str, str]) -> None:
    values = {
        name: value + SECRET if value and name.removeprefix(PREFIX) in SECRETS else value
        for name, value in variables.items()
    }
    said = ""
    with mock.patch.dict(os.environ, values, clear=True):
        try:
            settings = Settings.load()
        except BadSettings as error:
            said = str(error)
        else:
            assert settings.store_address
            assert settings.min_free_bytes >= 0
    assert SECRET not in said
    event("refused" if said else "read")


LINES = st.one_of(
    st.builds("{}={}".format, NAMES, SETTING_VALUES),
    st.builds("export {} = '{}".format, NAMES, SETTING_VALUES),
    st.builds('{}="{}${{HOME}}${{{}}}'.format, NAMES, SETTING_VALUES, NAMES),
    st.text(max_size=20),
)


@fuzzed(
    200,
    data=st.one_of(
        st.lists(LINES, max_size=5)
        .map(lambda lines: "\n".join(lines).encode("utf-8", "surrogateescape"))
        .filter(bool),
        st.binary(max_size=60),
    ),
)
def test_settings_of_any_file_are_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {}, clear=True):
        path = Path(folder, ".env")
        path.write_bytes(data)
        try:
            Settings.load(path)
        except BadSettings:
            event("refused")
