"""What admins read: the status, the list of orders, one order."""

from dataclasses import replace
from typing import Any

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import MessageContent
from bot.orders.order_cards import OrderCard
from bot.owner.buttons import OwnerAction, owner_action_of, owner_button
from bot.owner.jobs import ListedOrder, detail_content, list_content
from bot.owner.overview import LiveWorker, Overview
from bot.owner.status_text import age_text, status_content
from bot.texts import ENGLISH
from jobs.errors import MediaDamaged
from jobs.orders import OrderState, Progress, order_id
from jobs.queues.heartbeats import Heartbeat, WorkerState
from jobs.queues.outcomes import QueueStatistics
from jobs.queues.status import Status
from jobs.wish import Movement
from tests.unit.bot.cards import NOW_S, make_card
from tests.wishes import make_clip, make_voice

HEARTBEAT = Heartbeat(
    worker="w1", host="attic", device="cuda:0", engines=(), version="1", state=WorkerState.IDLE
)
WORKER = LiveWorker(HEARTBEAT, 4.2, {"fomm": 12.34, "mesh": None})
IDLE = QueueStatistics({"wait": 0, "prioritized": 0, "active": 0, "delayed": 0}, None, 0)
BUSY = QueueStatistics(
    {"wait": 1, "prioritized": 2, "active": 1, "delayed": 2}, round(1000 * (NOW_S - 190)), 0
)
OVERVIEW = Overview(
    now_s=NOW_S,
    is_paused=False,
    queues={"look": IDLE, "animate-fomm": BUSY},
    workers=(WORKER,),
    ended=12,
    failed=1,
    store="/data/files",
    free_bytes=12_300_000_000,
    store_problem=None,
    memory_bytes=3_000_000,
)
MOST_CHARACTERS = 4096


def listed(
    state: OrderState, age_s: float = 1.0, card: OrderCard | None = None, **facts: Any
) -> ListedOrder:
    card = card or make_card()
    return ListedOrder(card, Status(card.ref, state, **facts), age_s)


def deeds(content: MessageContent) -> list[OwnerAction]:
    taps = [button.data for row in content.keyboard for button in row]
    found = [owner_action_of(tap) for tap in taps]
    return [one[0] for one in found if one]


# --- the status -----------------------------------------------------------------------------------


def test_status_tells_everything_that_an_owner_asks_for() -> None:
    content = status_content(OVERVIEW, ENGLISH)
    assert content.text.split("\n\n") == [
        "New orders are accepted.",
        "Queues:\nfomm: 3 waiting, 1 running, 2 to retry; the oldest for 3 min",
        "Workers:\nattic, cuda:0: idle; fomm 12.3 fps, mesh; last heartbeat 4 s ago",
        "Orders within 24 hours: 12 ended, 1 of them failed.",
        "Files: /data/files, 12.3 GB free\nRedis memory: 3 MB",
    ]
    assert deeds(content) == [OwnerAction.JOBS, OwnerAction.STATUS, OwnerAction.PAUSE]


def test_status_of_a_paused_service_offers_to_resume() -> None:
    content = status_content(replace(OVERVIEW, is_paused=True), ENGLISH)
    assert content.text.startswith("Paused")
    assert deeds(content)[-1] is OwnerAction.RESUME


def test_status_without_workers_says_how_to_start_one() -> None:
    content = status_content(replace(OVERVIEW, workers=()), ENGLISH)
    assert "No worker is online: start `animato worker`" in content.text


def test_status_of_idle_queues_is_one_line() -> None:
    content = status_content(replace(OVERVIEW, queues={"look": IDLE}), ENGLISH)
    assert "Queues: nothing is waiting or running." in content.text


def test_status_says_what_is_wrong_with_the_store() -> None:
    content = status_content(
        replace(OVERVIEW, free_bytes=None, store_problem="it is away"), ENGLISH
    )
    assert "Files: /data/files\n⚠️ it is away" in content.text


def test_worker_with_an_order_shows_it_with_its_speed() -> None:
    working = {"state": WorkerState.WORKING, "job": "c7-abc-1", "frames_per_second": 24.0}
    busy = replace(WORKER, heartbeat=HEARTBEAT.model_copy(update=working))
    content = status_content(replace(OVERVIEW, workers=(busy,)), ENGLISH)
    assert "attic, cuda:0: c7-abc-1 24.0 fps; fomm 12.3 fps" in content.text


def test_status_of_a_hundred_workers_fits_into_a_message() -> None:
    content = status_content(replace(OVERVIEW, workers=(WORKER,) * 100), ENGLISH)
    assert "and 85 more" in content.text
    assert len(content.text) < MOST_CHARACTERS


def test_ages_are_told_in_the_unit_that_fits() -> None:
    assert [age_text(seconds, ENGLISH) for seconds in (3.4, 119, 600, 90_000)] == [
        "3 s",
        "119 s",
        "10 min",
        "25 h",
    ]


# --- orders ---------------------------------------------------------------------------------------


def test_list_has_a_line_and_a_button_for_each_order() -> None:
    waiting = listed(OrderState.WAITING, 42.0, ahead=2)
    clip = make_card(motion=Movement.of_clip(make_clip("looks/k3f9a2b1cd/clip.mp4")), number=3)
    progress = Progress(frames_done=2, frames_total=5)
    running = listed(OrderState.RUNNING, 300.0, clip, progress=progress)
    content = list_content([waiting, running], 0, 1, ENGLISH)
    assert content.text.splitlines() == [
        "1. place 3, 42 s: smile by mesh, person 7",
        "2. running, 40 %, 5 min: own clip by mesh, person 7",
    ]
    assert deeds(content) == [OwnerAction.JOB, OwnerAction.JOB, OwnerAction.STATUS]
    speaking = listed(OrderState.WAITING, card=make_card(motion=Movement.of_voice(make_voice())))
    assert "own recording by mesh" in list_content([speaking], 0, 1, ENGLISH).text


def test_list_of_many_pages_leads_around() -> None:
    content = list_content([listed(OrderState.FAILED)], 2, 3, ENGLISH)
    assert content.text.startswith("17. failed")
    abouts = [owner_action_of(one.data) for one in content.keyboard[1]]
    assert abouts == [(OwnerAction.JOBS, "1"), (OwnerAction.JOBS, "2"), (OwnerAction.JOBS, "0")]


def test_empty_list_says_so() -> None:
    assert "No order is waiting" in list_content([], 0, 0, ENGLISH).text


def test_failed_order_shows_its_error_and_log_and_can_be_tried_again() -> None:
    failed = listed(OrderState.FAILED, 60.0, error=MediaDamaged(name="a.jpg"))
    content = detail_content(failed, ("one", "the end"), ENGLISH)
    assert content.text.splitlines() == [
        "c7-k3f9a2b1cd-2",
        "Person 7, chat 7",
        "smile by mesh, 100 frames",
        "failed; ordered 60 s ago",
        str(MediaDamaged(name="a.jpg")),
        "",
        "Its log:",
        "one",
        "the end",
    ]
    assert deeds(content) == [OwnerAction.RETRY, OwnerAction.JOBS, OwnerAction.STATUS]


def test_open_order_can_be_cancelled_and_a_done_one_cannot() -> None:
    running = detail_content(listed(OrderState.RUNNING), (), ENGLISH)
    assert deeds(running)[0] is OwnerAction.CANCEL
    done = detail_content(listed(OrderState.DONE), (), ENGLISH)
    assert OwnerAction.CANCEL not in deeds(done)
    unknown = detail_content(ListedOrder(make_card(), None, 1.0), (), ENGLISH)
    assert "not in the queue" in unknown.text
    assert OwnerAction.CANCEL not in deeds(unknown)


def test_long_log_fits_into_a_message_and_keeps_its_end() -> None:
    log = tuple(["x" * 2000] * 11 + ["the last line"])
    failed = listed(OrderState.FAILED, error=MediaDamaged(name="y" * 5000))
    text = detail_content(failed, log, ENGLISH).text
    assert len(text) < MOST_CHARACTERS
    assert text.endswith("the last line")


# --- buttons --------------------------------------------------------------------------------------


def test_button_about_the_longest_order_fits() -> None:
    longest = order_id(-1_009_999_999_999, "k3f9a2b1cd", 99_999)
    button = owner_button("x", OwnerAction.CANCEL, longest)
    decoded = ButtonData.decode(button.data.encode())
    assert decoded is not None
    assert owner_action_of(decoded) == (OwnerAction.CANCEL, longest)


def test_buttons_of_others_are_no_deeds() -> None:
    assert owner_action_of(ButtonData(ButtonAction.OWNER, argument="explode:1")) is None
    assert owner_action_of(ButtonData(ButtonAction.CANCEL, argument="status:")) is None
