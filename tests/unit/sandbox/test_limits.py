"""What Telegram's flood limits let pass, at times that the test says."""

import pytest

from sandbox.limits import GROUP_LIMIT, PRIVATE_BURST, TOTAL_LIMIT, FloodLimits

GROUP, PERSON = -1001, 7


@pytest.fixture
def limits() -> FloodLimits:
    return FloodLimits()


def passed(limits: FloodLimits, chat_id: int | None, times: list[float]) -> list[bool]:
    return [limits.wait_s("sendMessage", chat_id, now) == 0 for now in times]


def test_group_takes_twenty_in_any_minute(limits: FloodLimits) -> None:
    assert all(passed(limits, GROUP, [0.0] * GROUP_LIMIT))
    assert limits.wait_s("sendMessage", GROUP, 0.0) == 60
    assert limits.wait_s("editMessageText", GROUP, 42.5) == 18
    assert limits.wait_s("sendPhoto", GROUP, 59.9) == 1
    assert limits.wait_s("sendPhoto", GROUP, 60.0) == 0


def test_person_takes_a_burst_and_then_one_a_second(limits: FloodLimits) -> None:
    assert all(passed(limits, PERSON, [0.0] * PRIVATE_BURST))
    assert limits.wait_s("sendMessage", PERSON, 0.2) == 1
    assert passed(limits, PERSON, [1.0, 1.1, 2.0, 2.1]) == [True, False, True, False]
    assert all(passed(limits, PERSON, [100.0] * PRIVATE_BURST))
    assert not any(passed(limits, PERSON, [100.0]))


def test_refused_calls_are_not_counted(limits: FloodLimits) -> None:
    assert all(passed(limits, GROUP, [0.0] * GROUP_LIMIT))
    assert not any(passed(limits, GROUP, [1.0] * 50))
    assert limits.wait_s("sendMessage", GROUP, 60.0) == 0


def test_all_chats_together_take_thirty_a_second(limits: FloodLimits) -> None:
    persons = list(range(1, TOTAL_LIMIT + 1))
    assert all(limits.wait_s("sendMessage", chat_id, 0.0) == 0 for chat_id in persons)
    assert limits.wait_s("sendMessage", 99, 0.5) == 1
    assert limits.wait_s("sendMessage", 99, 1.0) == 0


def test_limit_of_all_chats_together_can_be_another() -> None:
    limits = FloodLimits(50)
    assert all(limits.wait_s("sendMessage", chat_id, 0.0) == 0 for chat_id in range(1, 51))
    assert limits.wait_s("sendMessage", 99, 0.5) == 1


@pytest.mark.parametrize(
    "method", ["sendChatAction", "deleteMessage", "answerCallbackQuery", "getChat"]
)
def test_what_is_no_message_is_not_limited(limits: FloodLimits, method: str) -> None:
    assert all(limits.wait_s(method, PERSON, 0.0) == 0 for _ in range(100))


def test_calls_without_a_chat_are_not_limited(limits: FloodLimits) -> None:
    assert all(passed(limits, None, [0.0] * 100))
