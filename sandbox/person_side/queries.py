"""People tap buttons, send inline queries, and choose results."""

import secrets

from sandbox.bot_api.answers import content_of_result
from sandbox.errors import SimError
from sandbox.formatting.keyboards import button_with, checked_markup
from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters
from sandbox.person_side.finding import chat_of, message_of, person_of
from sandbox.person_side.messages import deliver
from sandbox.world.chats import Chat, Message
from sandbox.world.people import Person
from sandbox.world.telegram import Telegram

WAIT_S, LONGEST_WAIT_S = 10.0, 600.0


def _wait_s(call: Parameters) -> float:
    given = call.number("wait_s")
    return WAIT_S if given is None else max(0.0, min(given, LONGEST_WAIT_S))


async def tap(telegram: Telegram, call: Parameters) -> JsonObject:
    """Tap a button, and return the bot's answer."""
    person = person_of(telegram, call)
    chat = chat_of(telegram, call, person)
    message = _with_keyboard(chat, call)
    label, data = call.text("label"), call.text("data")
    button = None
    if message.reply_markup and (label or data):
        button = button_with(message.reply_markup, label, data)
    if button is None:
        wanted = label if label is not None else data
        raise SimError(f"Message {message.message_id} has no button {wanted!r}.")
    if "callback_data" not in button:
        return {"update_id": None, "answer": None, "button": button}
    query = telegram.queries.ask("callback", person.user_id, button["callback_data"])
    content: JsonObject = {
        "id": query.query_id,
        "from": person.as_user(),
        "chat_instance": chat.chat_instance,
        "data": button["callback_data"],
    }
    if message.inline_message_id is not None:
        content["inline_message_id"] = message.inline_message_id
    elif call.boolean("inaccessible"):
        # What Telegram sends for messages that are too old or deleted.
        short = {"chat": chat.as_json(), "message_id": message.message_id, "date": 0}
        content["message"] = short
    else:
        content["message"] = message.as_json()
    person.is_met = True
    update = telegram.tell_bot("callback_query", content)
    if update is None:
        return {"update_id": None, "answer": None, "reason": "the bot did not ask for taps"}
    answer = await query.wait(_wait_s(call))
    return {"update_id": update["update_id"], "query_id": query.query_id, "answer": answer}


def _with_keyboard(chat: Chat, call: Parameters) -> Message:
    if call.text("message_id") is not None:
        return message_of(chat, call, "message_id")
    for message in reversed(chat.messages.values()):
        if message.reply_markup is not None:
            return message
    raise SimError(f"No message of chat {chat.chat_id} has buttons.")


async def inline(telegram: Telegram, call: Parameters) -> JsonObject:
    """Send an inline query, and return the bot's answer."""
    person = person_of(telegram, call)
    chat = chat_of(telegram, call, person)
    text = call.text("query") or ""
    person.is_met = True
    query = telegram.queries.ask("inline", person.user_id, text)
    update = telegram.tell_bot(
        "inline_query",
        {
            "id": query.query_id,
            "from": person.as_user(),
            "query": text,
            "offset": call.text("offset") or "",
            "chat_type": "sender" if chat.person is person else chat.type,
        },
    )
    if update is None:
        reason = "the bot did not ask for inline queries"
        return {"inline_query_id": query.query_id, "answer": None, "reason": reason}
    return {
        "inline_query_id": query.query_id,
        "update_id": update["update_id"],
        "answer": await query.wait(_wait_s(call)),
    }


async def choose(telegram: Telegram, call: Parameters) -> JsonObject:
    """Send a result of an inline query."""
    person = person_of(telegram, call)
    chat = chat_of(telegram, call, person)
    query = telegram.queries.find(call.text("inline_query_id") or "")
    if query is None or query.answer is None or query.kind != "inline":
        raise SimError("There is no answered inline query of this id: use /sim/inline first.")
    if query.user_id != person.user_id:
        raise SimError(f"That inline query is not {person.first_name}'s.")
    result_id = call.text("result_id")
    result = next((r for r in query.answer["results"] if str(r["id"]) == result_id), None)
    if result is None:
        raise SimError(f"The answer has no result {result_id!r}.")
    message = _send_result(telegram, chat, person, result)
    if telegram.settings.inline_feedback:
        chosen = {"result_id": result_id, "from": person.as_user(), "query": query.text}
        if message.inline_message_id is not None:
            chosen["inline_message_id"] = message.inline_message_id
        telegram.tell_bot("chosen_inline_result", chosen)
    return {"message": message.as_seen(), "inline_message_id": message.inline_message_id}


def _send_result(telegram: Telegram, chat: Chat, person: Person, result: JsonObject) -> Message:
    content = content_of_result(telegram, result)
    if chat.person is not None:
        chat.is_started = True
    markup = checked_markup(result.get("reply_markup"))
    message = telegram.put(
        chat,
        person,
        content,
        reply_markup=markup,
        via_bot=telegram.bot,
        # Only a message with a keyboard has an id by which the bot can edit it.
        inline_message_id=secrets.token_urlsafe(20) if markup is not None else None,
    )
    deliver(telegram, message)
    return message
