"""What the bot is and says of itself."""

from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters
from sandbox.world.bot_profile import Scope, Text, checked_commands, checked_language, scope_of
from sandbox.world.telegram import Telegram


async def get_me(telegram: Telegram, _: Parameters) -> JsonObject:
    """GetMe."""
    return telegram.bot.as_user() | {
        "can_join_groups": True,
        "can_read_all_group_messages": not telegram.settings.privacy_mode,
        "supports_inline_queries": True,
        "supports_guest_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }


def _where(call: Parameters) -> tuple[Scope, str]:
    return scope_of(call.json_object("scope")), checked_language(call.text("language_code"))


async def set_my_commands(telegram: Telegram, call: Parameters) -> bool:
    """SetMyCommands."""
    scope, language = _where(call)
    telegram.profile.set_commands(scope, language, checked_commands(call.objects("commands")))
    telegram.events.emit("commands")
    return True


async def delete_my_commands(telegram: Telegram, call: Parameters) -> bool:
    """DeleteMyCommands."""
    return await set_my_commands(telegram, call.without("commands"))


async def get_my_commands(telegram: Telegram, call: Parameters) -> list[JsonObject]:
    """GetMyCommands: the list of exactly this scope and language."""
    scope, language = _where(call)
    return telegram.profile.commands(scope, language)


def _set_text(telegram: Telegram, call: Parameters, kind: Text) -> bool:
    language = checked_language(call.text("language_code"))
    telegram.profile.set_text(kind, language, call.text(kind) or "")
    telegram.events.emit("state")
    return True


def _get_text(telegram: Telegram, call: Parameters, kind: Text) -> JsonObject:
    text = telegram.profile.text(kind, checked_language(call.text("language_code")))
    return {kind: text or (telegram.bot.first_name if kind == "name" else "")}


async def set_my_name(telegram: Telegram, call: Parameters) -> bool:
    """SetMyName."""
    return _set_text(telegram, call, "name")


async def get_my_name(telegram: Telegram, call: Parameters) -> JsonObject:
    """GetMyName."""
    return _get_text(telegram, call, "name")


async def set_my_description(telegram: Telegram, call: Parameters) -> bool:
    """SetMyDescription: what an empty private chat shows."""
    return _set_text(telegram, call, "description")


async def get_my_description(telegram: Telegram, call: Parameters) -> JsonObject:
    """GetMyDescription."""
    return _get_text(telegram, call, "description")


async def set_my_short_description(telegram: Telegram, call: Parameters) -> bool:
    """SetMyShortDescription: what the bot's profile shows."""
    return _set_text(telegram, call, "short_description")


async def get_my_short_description(telegram: Telegram, call: Parameters) -> JsonObject:
    """GetMyShortDescription."""
    return _get_text(telegram, call, "short_description")
