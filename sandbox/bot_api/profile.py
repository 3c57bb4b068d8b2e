"""The bot's own user, commands and descriptions."""

from collections.abc import Awaitable, Callable

from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters
from sandbox.world.bot_profile import Scope, Text, checked_commands, checked_language, scope_of
from sandbox.world.telegram import Telegram


async def get_me(telegram: Telegram, _: Parameters) -> JsonObject:
    """Return the bot as a User."""
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


async def set_my_commands(telegram: Telegram, call: Parameters) -> bool:
    """Set the commands of a scope and language; an empty list removes them."""
    scope, language = _scope_and_language(call)
    telegram.profile.set_commands(scope, language, checked_commands(call.objects("commands")))
    telegram.events.emit("commands")
    return True


async def get_my_commands(telegram: Telegram, call: Parameters) -> list[JsonObject]:
    """Return the commands of exactly this scope and language."""
    return telegram.profile.commands(*_scope_and_language(call))


async def delete_my_commands(telegram: Telegram, call: Parameters) -> bool:
    """Remove the commands of a scope and language: wider scopes are seen again."""
    telegram.profile.set_commands(*_scope_and_language(call), [])
    telegram.events.emit("commands")
    return True


async def get_my_name(telegram: Telegram, _: Parameters) -> JsonObject:
    """Return the bot's name."""
    return {"name": telegram.bot.first_name}


def text_setter(kind: Text) -> Callable[[Telegram, Parameters], Awaitable[bool]]:
    """Return the method that sets a description."""

    async def set_text(telegram: Telegram, call: Parameters) -> bool:
        language = checked_language(call.text("language_code"))
        telegram.profile.set_text(kind, language, call.text(kind) or "")
        telegram.events.emit("state")
        return True

    return set_text


def text_getter(kind: Text) -> Callable[[Telegram, Parameters], Awaitable[JsonObject]]:
    """Return the method that gets a description."""

    async def get_text(telegram: Telegram, call: Parameters) -> JsonObject:
        language = checked_language(call.text("language_code"))
        return {kind: telegram.profile.text(kind, language)}

    return get_text


def _scope_and_language(call: Parameters) -> tuple[Scope, str]:
    return scope_of(call.json_object("scope")), checked_language(call.text("language_code"))
