"""A chat as text, to read and to compare in tests."""

from sandbox.world.chats import Chat, Message

MEDIA = ("photo", "video", "animation", "video_note", "voice", "audio", "document", "sticker")


def transcript(chat: Chat) -> str:
    """Return the messages without times and ids, so that two runs give the same text."""
    return "".join(_lines(message) for message in chat.messages.values())


def _lines(message: Message) -> str:
    name = "Bot" if message.is_of_bot else message.author.first_name
    marks = []
    if message.reply_to is not None:
        marks.append(f"answers {_short(message.reply_to)!r}")
    if message.edit_date is not None:
        marks.append("edited")
    if message.hidden_because is not None:
        marks.append(f"not delivered: {message.hidden_because}")
    if message.reactions:
        marks.append("reaction " + " ".join(message.reactions))
    noted = f" ({', '.join(marks)})" if marks else ""
    lines = [f"{name}{noted}: {_what(message)}"]
    rows = message.reply_markup["inline_keyboard"] if message.reply_markup else []
    lines += ["    " + " ".join(f"[{button['text']}]" for button in row) for row in rows]
    return "\n".join(lines) + "\n"


def _what(message: Message) -> str:
    content = message.content
    for kind in MEDIA:
        # An animation is also a document.
        if kind in content and not (kind == "document" and "animation" in content):
            text = content.get("caption", "")
            return f"<{kind} {_size(content[kind])}>" + (f" {text}" if text else "")
    if "text" in content:
        return str(content["text"])
    return f"<{next(iter(content), 'empty')}>"


def _size(medium: object) -> str:
    found = medium[-1] if isinstance(medium, list) else medium
    if not isinstance(found, dict):
        return ""
    if "length" in found:
        return f"{found['length']} px"
    if "width" in found:
        return f"{found['width']}x{found['height']}"
    return str(found.get("file_name", ""))


def _short(message: Message) -> str:
    text = _what(message).replace("\n", " ")
    return text if len(text) <= 40 else text[:39] + "…"
