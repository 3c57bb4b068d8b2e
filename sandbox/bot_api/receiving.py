"""How updates and files reach the bot: polling, webhooks, downloads."""

import asyncio

from sandbox.errors import bad_request, conflict
from sandbox.json_types import JsonObject
from sandbox.media.files import DOWNLOAD_LIMIT_BYTES
from sandbox.parameters import Parameters
from sandbox.world.telegram import Telegram
from sandbox.world.webhook import Webhook, WebhookSettings

WEBHOOK_ACTIVE = (
    "can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


def _allowed_updates(call: Parameters) -> list[str] | None:
    names = call.array("allowed_updates")
    return None if names is None else [str(name) for name in names]


async def get_updates(telegram: Telegram, call: Parameters) -> list[JsonObject]:
    """Return updates, by long polling."""
    if telegram.webhook is not None:
        raise conflict(WEBHOOK_ACTIVE)
    telegram.calls.polls += 1
    telegram.updates.allow(_allowed_updates(call))
    limit = call.integer("limit")
    if not telegram.has_listener:
        # Emitted once the poll has begun, so that the bot counts as listening.
        asyncio.get_running_loop().call_soon(telegram.events.emit, "state")
    return await telegram.updates.poll(
        offset=call.integer("offset") or 0,
        limit=max(1, min(100, 100 if limit is None else limit)),
        timeout_s=max(0.0, call.number("timeout") or 0.0),
    )


async def set_webhook(telegram: Telegram, call: Parameters) -> bool:
    """Push updates to a URL from now on."""
    url = call.text("url")
    if url is None:
        return await delete_webhook(telegram, call)
    settings = WebhookSettings(
        url, call.text("secret_token"), call.integer("max_connections") or 40
    )
    telegram.updates.allow(_allowed_updates(call))
    telegram.updates.end_polls("terminated by setWebhook request")
    await _replace_webhook(telegram, call, Webhook(settings, telegram.updates))
    return True


async def delete_webhook(telegram: Telegram, call: Parameters) -> bool:
    """Return to polling."""
    await _replace_webhook(telegram, call, None)
    return True


async def _replace_webhook(telegram: Telegram, call: Parameters, new: Webhook | None) -> None:
    # The new one starts after the old one has stopped: no update goes to both.
    old, telegram.webhook = telegram.webhook, new
    if old is not None:
        await old.stop()
    if call.boolean("drop_pending_updates"):
        telegram.updates.forget_all()
    if new is not None and telegram.webhook is new:
        new.start()


async def get_webhook_info(telegram: Telegram, _: Parameters) -> JsonObject:
    """Return the WebhookInfo."""
    if telegram.webhook is not None:
        info = telegram.webhook.as_info()
    else:
        info = {
            "url": "",
            "has_custom_certificate": False,
            "pending_update_count": len(telegram.updates),
        }
    kinds = telegram.updates.allowed_kinds
    return info | ({"allowed_updates": kinds} if kinds is not None else {})


async def get_file(telegram: Telegram, call: Parameters) -> JsonObject:
    """Return a File with its download path."""
    file_id = call.text("file_id")
    if file_id is None:
        raise bad_request("file_id not specified")
    stored = telegram.files.get(file_id)
    if len(stored.content) > DOWNLOAD_LIMIT_BYTES:
        raise bad_request("file is too big")
    return stored.as_json() | {"file_path": stored.path}
