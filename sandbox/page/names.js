/** Names of people, chats, times and messages. */

import { fileAddress } from "./api.js";
import { make } from "./dom.js";
import { isBot, messagesOf, placeKey, state, threadsOf } from "./store.js";

const isBotsChat = (one) => one?.type === "private" && one.person_id !== undefined;

/** Returns the name of a user or chat; a private chat has the bot's name. */
export function nameOf(one) {
  if (isBotsChat(one)) return state.bot.first_name;
  return one?.title || one?.first_name || one?.username || "Somebody";
}

/** Returns one of eight colours for a user or chat. */
export function hueOf(id) {
  const digits = [...String(Math.abs(Number(id) || 0))];
  return String(digits.reduce((sum, digit) => sum + Number(digit), 0) % 8);
}

function initials(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = words.slice(0, 2).map((word) => [...word][0]);
  return letters.join("").toUpperCase() || "?";
}

/** Builds a round picture of a user or chat: the profile picture, the bot's icon or initials. */
export function avatarOf(one, size = "") {
  const isTheBot = isBot(one) || isBotsChat(one);
  const photo = state.persons.find((person) => person.id === one?.id)?.photo;
  const source = isTheBot ? "/page/icon.svg" : photo && fileAddress(photo);
  const attributes = {
    class: `avatar ${size}`.trim(),
    "aria-hidden": "true",
    data: { hue: hueOf(one?.id) },
  };
  const inside = source
    ? make("img", { src: source, alt: "", draggable: "false" })
    : initials(nameOf(one));
  return make("span", attributes, inside);
}

/** @param {number} seconds Unix time */
export const timeOf = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });

/** Returns "Today" or the date. */
export function dayOf(seconds) {
  const day = new Date(seconds * 1000);
  if (day.toDateString() === new Date().toDateString()) return "Today";
  return day.toLocaleDateString([], { day: "numeric", month: "long" });
}

export function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(bytes < 10240 ? 1 : 0)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

export const durationOf = (seconds = 0) =>
  `${Math.floor(seconds / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

/** Returns the text of a service message; null for any other message. */
export function serviceText(message) {
  const who = nameOf(message.from);
  if (message.new_chat_members) {
    const [member] = message.new_chat_members;
    return member.id === message.from.id ? `${who} joined` : `${who} added ${nameOf(member)}`;
  }
  if (message.left_chat_member) {
    const member = message.left_chat_member;
    return member.id === message.from.id ? `${who} left` : `${who} removed ${nameOf(member)}`;
  }
  if (message.migrate_to_chat_id || message.migrate_from_chat_id)
    return "The group became a supergroup";
  if (message.forum_topic_created)
    return `${who} created the topic “${message.forum_topic_created.name}”`;
  return null;
}

const KINDS = {
  video_note: "Round video",
  animation: "GIF",
  video: "Video",
  photo: "Photo",
  sticker: "Sticker",
  voice: "Voice message",
  audio: "Audio file",
  document: "File",
};

/** Returns the kind of media in a message; an animation is also a document, so order counts. */
export const kindOf = (message) => Object.keys(KINDS).find((kind) => message[kind]) ?? null;

/** Returns a message in a few words. */
export function summaryOf(message) {
  const words = serviceText(message) ?? message.text ?? message.caption;
  if (words) return words;
  const kind = kindOf(message);
  return kind === "document" ? message.document.file_name : (KINDS[kind] ?? "Message");
}

/** Returns the last message of a chat. */
export const lastOf = (one) =>
  threadsOf(one)
    .map((thread) => messagesOf(one, thread).at(-1))
    .filter(Boolean)
    .sort((left, right) => left.message_id - right.message_id)
    .at(-1);

const DOING = {
  typing: "typing",
  upload_photo: "sending a photo",
  upload_video: "sending a video",
  upload_video_note: "sending a round video",
  upload_document: "sending a file",
  upload_voice: "sending a voice message",
};

/** Returns what the bot is doing in a chat, or null. */
export function doingIn(chatId, threadId) {
  const doing = state.doing.get(placeKey(chatId, threadId));
  if (!doing || doing.until <= Date.now()) return null;
  return DOING[doing.action] ?? "busy";
}
