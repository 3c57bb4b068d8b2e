/** How persons, chats, times and messages are called. */

import { fileAddress } from "./api.js";
import { make } from "./dom.js";
import { authorOf, isBot, isOwn, messagesOf, placeKey, state } from "./store.js";

/** The name of a user or the title of a chat; the private chat is called like the bot. */
export function nameOf(one) {
  if (!one) return "Somebody";
  if (one.type === "private" && one.person_id !== undefined) return nameOf(state.bot);
  if (one.title) return one.title;
  return [one.first_name, one.last_name].filter(Boolean).join(" ") || one.username || "Somebody";
}

const HUES = 8;

/** One of eight colours that stays with a user or chat; neighbouring ids get different ones. */
export function hueOf(id) {
  const digits = [...String(Math.abs(Number(id) || 0))];
  return String(digits.reduce((sum, digit) => sum + Number(digit), 0) % HUES);
}

function initials(name) {
  const words = name.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.slice(0, 2).map((word) => [...word.replace(/^[^\p{L}\p{N}]+/u, "")][0]);
  return letters.join("").toUpperCase() || "?";
}

/** A round picture of a user or chat: the profile picture, the bot's mark or initials. */
export function avatarOf(one, size = "") {
  const isTheBot = isBot(one) || (one?.type === "private" && one.person_id !== undefined);
  const known = state.persons.find((person) => person.id === one?.id);
  const photo = isTheBot ? null : (one?.photo ?? known?.photo);
  const source = isTheBot ? "/page/icon.svg" : typeof photo === "string" && fileAddress(photo);
  const attributes = {
    class: `avatar ${size}`.trim(),
    "aria-hidden": "true",
    data: { hue: hueOf(one?.id) },
  };
  if (source)
    return make("span", attributes, make("img", { src: source, alt: "", draggable: "false" }));
  return make("span", attributes, initials(nameOf(one)));
}

/** @param {number} seconds since 1970, as Telegram counts. */
export const timeOf = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });

export const momentOf = (seconds) => new Date(seconds * 1000).toLocaleString();

/** "Today", "Yesterday" or the date. */
export function dayOf(seconds) {
  const day = new Date(seconds * 1000);
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (day.toDateString() === today.toDateString()) return "Today";
  if (day.toDateString() === yesterday.toDateString()) return "Yesterday";
  const year = day.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return day.toLocaleDateString([], { day: "numeric", month: "long", year });
}

export function sizeOf(bytes) {
  if (bytes === undefined || bytes === null) return "";
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(bytes < 10240 ? 1 : 0)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

export const durationOf = (seconds = 0) =>
  `${Math.floor(seconds / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

/** What happened, for a service message; null for any other. */
export function serviceText(message) {
  const who = nameOf(message.from);
  if (message.new_chat_members) {
    const names = message.new_chat_members.map(nameOf).join(", ");
    const same =
      message.new_chat_members.length === 1 && message.new_chat_members[0].id === message.from?.id;
    return same ? `${who} joined the group` : `${who} added ${names}`;
  }
  if (message.left_chat_member) {
    const gone = nameOf(message.left_chat_member);
    return message.left_chat_member.id === message.from?.id
      ? `${gone} left the group`
      : `${who} removed ${gone}`;
  }
  if (message.group_chat_created || message.supergroup_chat_created) return `${who} made the group`;
  if (message.migrate_to_chat_id || message.migrate_from_chat_id)
    return "The group became a supergroup";
  if (message.forum_topic_created)
    return `${who} made the topic “${message.forum_topic_created.name}”`;
  if (message.forum_topic_edited) return "The topic was changed";
  if (message.forum_topic_closed) return "The topic was closed";
  if (message.forum_topic_reopened) return "The topic was opened again";
  if (message.new_chat_title) return `${who} named the group “${message.new_chat_title}”`;
  if (message.new_chat_photo) return `${who} changed the group's picture`;
  if (message.delete_chat_photo) return `${who} removed the group's picture`;
  if (message.pinned_message) return `${who} pinned a message`;
  return null;
}

const KINDS = {
  video_note: "Round video",
  animation: "GIF",
  video: "Video",
  photo: "Photo",
  sticker: "Sticker",
  voice: "Voice message",
  audio: "Audio",
  document: "File",
};

/** Which kind of medium a message carries; an animation also has a document, so order counts. */
export const kindOf = (message) => Object.keys(KINDS).find((kind) => message[kind]) ?? null;

const CAPTIONED = new Set(["animation", "video", "photo", "voice", "audio", "document"]);

/** Whether the person can change the text or caption of a message. */
export const canEdit = (message) =>
  isOwn(message) &&
  !message.via_bot &&
  (message.text !== undefined || CAPTIONED.has(kindOf(message)));

/** A message in a few words. */
export function summaryOf(message) {
  const service = serviceText(message);
  if (service) return service;
  const kind = kindOf(message);
  const words = message.text ?? message.caption ?? "";
  if (!kind) return words || "Message";
  if (words) return words;
  if (kind === "document") return message.document.file_name ?? "File";
  if (kind === "sticker") return `${message.sticker.emoji ?? ""} Sticker`.trim();
  return KINDS[kind];
}

/** The last line of a chat in the list. */
export function lastLineOf(one) {
  const threads = one.is_forum
    ? [null, ...one.topics.map((topic) => topic.message_thread_id)]
    : [null];
  const last = threads
    .map((thread) => messagesOf(one, thread).at(-1))
    .filter(Boolean)
    .sort((left, right) => left.message_id - right.message_id)
    .at(-1);
  return last
    ? { message: last, text: summaryOf(last), own: authorOf(last) === state.personId }
    : null;
}

const DOING = {
  typing: "typing",
  upload_photo: "sending a photo",
  upload_video: "sending a video",
  upload_video_note: "sending a round video",
  upload_document: "sending a file",
  upload_voice: "sending a voice message",
  record_video: "recording a video",
  record_video_note: "recording a round video",
  record_voice: "recording a voice message",
  choose_sticker: "choosing a sticker",
  find_location: "looking for a place",
};

/** What the bot is doing in a chat, or null. */
export function doingIn(chatId, threadId) {
  const doing = state.doing.get(placeKey(chatId, threadId));
  if (!doing || doing.until <= Date.now()) return null;
  return DOING[doing.action] ?? "busy";
}
