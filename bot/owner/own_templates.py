"""/add_template and /templates_admin: movements of the owner's.

clip -> file store -> `CheckTemplate`, a job of the queue `media` -> cropped clip, track, preview
-> the store's folder `templates/<hash of the clip>`, and a record in Redis, state NEW
-> the preview with the buttons Publish and Discard
"""

import hashlib
import re
import secrets

from telegram.error import TelegramError

from bot.error_text import error_text
from bot.gateway.messenger import Button, CardMessage, Keyboard, MessageContent
from bot.gateway.updates import IncomingMessage, LeadMedia, Media, MediaFile
from bot.movements import OwnTemplate, TemplateState
from bot.orders.card_text import title_of
from bot.orders.media_delivery import MediaOutcome
from bot.orders.media_requests import request_media
from bot.owner.buttons import OwnerAction, owner_button
from bot.services import Services
from bot.texts import Texts
from jobs.connection import queue_errors
from jobs.errors import AnimatoError
from jobs.findings import ClipFindings
from jobs.media_jobs import MediaJob, MediaResult
from jobs.media_tasks import MOST_TEMPLATE_S, CheckTemplate
from jobs.queues.keys import adding_key
from jobs.service_errors import OrderFailed
from jobs.store.keys import media_key, template_key
from jobs.templates import ClipMotion, StoredTemplate

_NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")
_ASKED_KEPT_S = 3600
_FILES = ("clip.mp4", "track.npz", "preview.mp4")
_DEFAULT_EMOJI = "🎬"
_LICENCE = "by the operator of this bot"
_TITLE_CHARACTERS = 24  # besides the emoji: a button's label has 30
_CAPTION_CHARACTERS = 1024
_MOST_LISTED = 30


class OwnTemplates:
    """Adds, shows, renames, hides and removes movements of the owner's.

    Args:
        file_bytes: larger clips are refused.
    """

    def __init__(self, services: Services, file_bytes: int) -> None:
        self._services = services
        self._file_bytes = file_bytes

    # --- adding -----------------------------------------------------------------------------------

    async def add(self, incoming: IncomingMessage, media: Media | None) -> None:
        """Handle /add_template: take its clip, or ask for one."""
        _, words = self._services.texts, incoming.text.split()[1:]
        problem = self._name_problem(words) or await self._taken_problem(words[0])
        if problem is not None:
            await self._say(incoming, problem)
        elif isinstance(media, LeadMedia) and not media.file.is_voice:
            await self._check(incoming, words[0], media.file)
        else:
            with queue_errors(self._services.queues.url):
                key = adding_key(incoming.person_id)
                await self._services.queues.client.set(key, words[0], ex=_ASKED_KEPT_S)
            text = _(
                "Send me the clip for {name}: one person from the front, in one take.",
                name=words[0],
            )
            await self._say(incoming, text)

    async def take_asked(self, incoming: IncomingMessage, media: Media | None) -> bool:
        """Take a clip that was asked for; return whether it was."""
        if not isinstance(media, LeadMedia) or media.file.is_voice:
            return False
        with queue_errors(self._services.queues.url):
            client = self._services.queues.client
            name = await client.getdel(adding_key(incoming.person_id))
        if name is None:
            return False
        await self._check(incoming, str(name), media.file)
        return True

    async def receive(self, outcome: MediaOutcome) -> None:
        """Show the preview with Publish and Discard, or why the clip cannot be used."""
        services, _ = self._services, self._services.texts
        message, name = outcome.job.reference.split(":")
        card, chat = CardMessage(message_id=int(message)), outcome.job.chat
        if outcome.result is None:
            error = outcome.error or OrderFailed(order=outcome.job.job_id)
            await services.messenger.edit(chat, card, MessageContent(error_text(error, _)))
            return
        known = await self._services.movements.own_named(name)
        if known is None:
            known = await self._store(name, outcome.result)
        if known.state is not TemplateState.NEW:
            return  # the preview was shown before, and its button was tapped
        preview = await services.store.get(template_key(known.template.digest, "preview.mp4"))
        content = MessageContent(_preview_text(known, _), _decision(name, _))
        await services.messenger.edit_media(chat, card, preview, content, is_animation=True)

    def _name_problem(self, words: list[str]) -> str | None:
        _ = self._services.texts
        if len(words) == 1 and _NAME.fullmatch(words[0]):
            return None
        return _(
            "Write a name after the command: up to 24 small letters, digits and _, as in "
            "/add_template boss_wave. Send it as the caption of a clip, as a reply to one, or send "
            "the clip next."
        )

    async def _taken_problem(self, name: str) -> str | None:
        names = {template.name for template in self._services.movements.catalogue}
        if name not in names and await self._services.movements.own_named(name) is None:
            return None
        _ = self._services.texts
        return _(
            "There is a movement {name} already. Choose another name, or remove it first.",
            name=name,
        )

    async def _check(self, incoming: IncomingMessage, name: str, file: MediaFile) -> None:
        """Have a worker check a clip."""
        services, _ = self._services, self._services.texts
        if (file.size_bytes or 0) > self._file_bytes:
            most_mb = self._file_bytes // 1_000_000
            text = _("This clip is too large: I can fetch up to {mb} MB.", mb=most_mb)
            await self._say(incoming, text)
            return
        message = await self._say(incoming, _("Checking the clip for {name} ...", name=name))
        job_id = f"tpl-{secrets.token_hex(8)}"
        key = media_key(job_id, "clip.mp4")
        card = CardMessage(message_id=message)
        clip_s = min(MOST_TEMPLATE_S, (await services.limits.now()).clip_s)
        job = MediaJob(
            job_id=job_id,
            person=incoming.person_id,
            chat=incoming.chat_id,
            reference=f"{message}:{name}",
            task=CheckTemplate(clip=key, clip_s=clip_s),
        )
        try:
            await services.store.put(key, await services.messenger.download(file.file_id))
            await request_media(services, job)
        except AnimatoError as error:
            content = MessageContent(error_text(error, _))
            await services.messenger.edit(incoming.chat_id, card, content)
        except TelegramError:
            text = _("The clip could not be fetched from Telegram. Please send it again.")
            await services.messenger.edit(incoming.chat_id, card, MessageContent(text))

    async def _store(self, name: str, result: MediaResult) -> OwnTemplate:
        """Move the files to where every worker finds them, and record the movement."""
        services = self._services
        contents = {file: await services.store.get(result.key_of(file)) for file in _FILES}
        digest = hashlib.sha256(contents["clip.mp4"]).hexdigest()
        for file, content in contents.items():
            await services.store.put(template_key(digest, file), content)
        clip = ClipFindings.model_validate(result.facts["clip"])
        template = StoredTemplate(
            name=name,
            emoji=_DEFAULT_EMOJI,
            title={"en": name.replace("_", " ").capitalize()},
            licence=_LICENCE,
            motion=ClipMotion(clip="clip.mp4", track="track.npz", frame_count=clip.frame_count),
            clip=clip.model_copy(update={"file": template_key(digest, "clip.mp4")}),
        )
        own = OwnTemplate(template=template, added_s=services.clock())
        await self._services.movements.put(own)
        # A movement that is discarded now is not stored again if this delivery is repeated.
        await services.store.delete(result.key_of(file) for file in _FILES)
        return own

    # --- changing ---------------------------------------------------------------------------------

    async def administer(self, incoming: IncomingMessage) -> None:
        """Handle /templates_admin: list the owner's movements, or rename one."""
        words = incoming.text.split(maxsplit=3)[1:]
        content = await self.list_content()
        if words:
            content = MessageContent(await self._rename(words))
        await self._services.messenger.send(incoming.target, content)

    async def list_content(self) -> MessageContent:
        """The owner's movements with their buttons."""
        _, own = self._services.texts, await self._services.movements.own()
        if not own:
            return MessageContent(
                _("You have no movements of your own yet. /add_template NAME adds one.")
            )
        lines = [_("Your movements:"), *(_line(one, _) for one in own[:_MOST_LISTED])]
        how_to = _("/templates_admin NAME 😎 New title renames one.")
        rows = tuple(_row(one, _) for one in own[:_MOST_LISTED])
        return MessageContent("\n".join((*lines, "", how_to)), rows)

    async def set_state(self, name: str, state: TemplateState) -> str:
        """Publish or hide a movement; return the answer."""
        _, own = self._services.texts, await self._services.movements.own_named(name)
        if own is None:
            return _("There is no such movement any more.")
        await self._services.movements.put(own.model_copy(update={"state": state}))
        if state is TemplateState.PUBLISHED:
            return _("{title} is published.", title=title_of(own.template))
        return _("{title} is hidden.", title=title_of(own.template))

    async def remove(self, name: str) -> str:
        """Remove a movement and its files; return the answer."""
        _, own = self._services.texts, await self._services.movements.own_named(name)
        if own is None:
            return _("There is no such movement any more.")
        await self._services.movements.remove(name)
        digest = own.template.digest
        if not any(one.template.digest == digest for one in await self._services.movements.own()):
            await self._services.store.delete(template_key(digest, file) for file in _FILES)
        return _("{title} is removed.", title=title_of(own.template))

    def ask_to_remove(self, name: str) -> MessageContent:
        """Ask whether to remove a movement."""
        _ = self._services.texts
        sure = owner_button(_("🗑 Remove"), OwnerAction.REMOVE, name)
        back = owner_button(_("« Back"), OwnerAction.TEMPLATES)
        text = _("Remove {name} and its files? Orders that wait for it will fail.", name=name)
        return MessageContent(text, ((sure, back),))

    async def _rename(self, words: list[str]) -> str:
        _, own = self._services.texts, await self._services.movements.own_named(words[0])
        if own is None:
            return _("You have no movement {name}. /templates_admin lists them.", name=words[0])
        emoji, title = (words[1], words[2].strip()) if len(words) == 3 else ("", "")
        is_emoji = 1 <= len(emoji) <= 8 and not emoji.isalnum()
        if not is_emoji or not 1 <= len(title) <= _TITLE_CHARACTERS:
            return _(
                "Write the emoji and the title, of up to {most} characters: /templates_admin "
                "{name} 😎 New title",
                most=_TITLE_CHARACTERS,
                name=words[0],
            )
        changes = {"emoji": emoji, "title": {"en": title}}
        template = own.template.model_copy(update=changes)
        await self._services.movements.put(own.model_copy(update={"template": template}))
        return _("{name} is now {title}.", name=words[0], title=title_of(template))

    async def _say(self, incoming: IncomingMessage, text: str) -> int:
        return await self._services.messenger.send(incoming.target, MessageContent(text))


def _preview_text(own: OwnTemplate, _: Texts) -> str:
    clip = own.template.clip
    lines = [_("{name}: {seconds:.1f} s", name=own.template.name, seconds=clip.duration_s)]
    lines += [f"⚠️ {_(warning.value)}" for warning in clip.warnings]
    lines.append(_("Publish it for everybody? Only with the consent of whoever it shows."))
    return "\n".join(lines)[:_CAPTION_CHARACTERS]


def _decision(name: str, _: Texts) -> Keyboard:
    publish = owner_button(_("✅ Publish"), OwnerAction.PUBLISH, name)
    return ((publish, owner_button(_("🗑 Discard"), OwnerAction.DISCARD, name)),)


def _line(own: OwnTemplate, _: Texts) -> str:
    states = {
        TemplateState.NEW: _("not published yet"),
        TemplateState.PUBLISHED: _("published"),
        TemplateState.HIDDEN: _("hidden"),
    }
    return _(
        "{name}: {title}, {seconds:.1f} s, {state}",
        name=own.template.name,
        title=title_of(own.template),
        seconds=own.template.clip.duration_s,
        state=states[own.state],
    )


def _row(own: OwnTemplate, _: Texts) -> tuple[Button, ...]:
    name = own.template.name
    show = owner_button(_("👁 Publish {name}", name=name)[:30], OwnerAction.SHOW, name)
    hide = owner_button(_("🙈 Hide {name}", name=name)[:30], OwnerAction.HIDE, name)
    first = hide if own.state is TemplateState.PUBLISHED else show
    remove = owner_button(_("🗑 Remove {name}", name=name)[:30], OwnerAction.ASK_TO_REMOVE, name)
    return (first, remove)
