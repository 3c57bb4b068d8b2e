/** What a person does in a chat. */

import { safeAddress, startPayload } from "./addresses.js";
import { answerTo } from "./answers.js";
import { get, post } from "./api.js";
import { alertDialog, ask, attempt, copy, openMenu, toast } from "./notices.js";
import { nameOf } from "./names.js";
import { chat, chatsOf, isBot, person, putMessage, signal, state, touch } from "./store.js";

const WAIT_S = 10;

/** Shows sent messages before their events arrive. */
export function keepSent(answer) {
  for (const message of answer.messages ?? [answer.message]) {
    putMessage(message.chat.id, message);
    signal("sent", { chatId: message.chat.id });
  }
}

/** Returns who writes where, as fields of /sim/message. */
export const here = () => ({
  user_id: state.personId,
  chat_id: state.chatId,
  thread_id: state.threadId,
  language_code: person()?.language_code,
});

/** Sends a text. @returns {Promise<boolean>} whether the server took it */
export async function sendText(text) {
  const answer = await attempt(() => post("/sim/message", { ...here(), text }));
  if (answer) keepSent(answer);
  return answer !== null;
}

/** Sends a command from a message; in groups it names the bot that wrote the message. */
export function sendCommand(text, message) {
  const toBot = chat()?.type !== "private" && isBot(message?.from) && !text.includes("@");
  return sendText(toBot ? `${text}@${state.bot.username}` : text);
}

/** Opens a chat, or one of its topics. */
export function openChat(chatId, threadId = null) {
  Object.assign(state, { chatId, threadId });
  state.unread.delete(chatId);
  touch("place", "messages", "doing");
}

/** Becomes another person, in the same group if they are a member, else in their private chat. */
export function becomePerson(personId) {
  const chats = chatsOf(personId);
  const stays = chat()?.type !== "private" && chats.some((one) => one.id === state.chatId);
  const chatId = stays ? state.chatId : (chats[0]?.id ?? personId);
  const threadId = stays ? state.threadId : null;
  Object.assign(state, { personId, chatId, threadId, payload: "" });
  touch("place", "messages", "doing");
}

/** Opens the private chat and sends /start with the payload of a deep link. */
export function start(payload = "") {
  const own = chatsOf(state.personId).find((one) => one.type === "private");
  if (own && own.id !== state.chatId) openChat(own.id);
  state.payload = "";
  touch("place");
  return sendText(payload ? `/start ${payload}` : "/start");
}

/** Opens a URL that the bot gave. */
export function openAddress(address) {
  const payload = startPayload(address);
  if (payload !== null) {
    start(payload);
    return;
  }
  const safe = safeAddress(address);
  if (safe) window.open(safe, "_blank", "noopener,noreferrer");
  else toast("Only http, https and tg links are opened.", "error");
}

async function tapCallback(message, button) {
  const asked = await post("/sim/tap", {
    user_id: state.personId,
    chat_id: message.chat.id,
    message_id: message.message_id,
    data: button.callback_data,
    wait_s: 0,
  });
  if (asked.reason) {
    toast(`The tap was not delivered: ${asked.reason}.`, "error");
    return;
  }
  const answer = asked.answer ?? (await answerTo(asked.query_id, WAIT_S));
  if (!answer) {
    toast(`The bot has not answered the tap within ${WAIT_S} s.`, "error");
    return;
  }
  if (answer.text && answer.show_alert) alertDialog(nameOf(state.bot), answer.text);
  else if (answer.text) toast(answer.text);
  if (answer.url) openAddress(answer.url);
}

const fillIn = (query) => signal("fill", { text: `@${state.bot.username} ${query}` });

/** Offers the chats in which an inline query can be typed. */
function chooseChat(query, anchor) {
  const items = chatsOf(state.personId).map((one) => ({
    label: nameOf(one),
    icon: one.type === "private" ? "send" : "group",
    run: () => {
      openChat(one.id);
      fillIn(query);
    },
  }));
  openMenu(items, anchor);
}

/** Taps an inline button. */
export async function tap(message, button, anchor) {
  if (button.callback_data !== undefined) return attempt(() => tapCallback(message, button));
  if (button.url) return openAddress(button.url);
  if (button.copy_text) return copy(button.copy_text.text);
  if (button.switch_inline_query_current_chat !== undefined) {
    return fillIn(button.switch_inline_query_current_chat);
  }
  const query = button.switch_inline_query ?? button.switch_inline_query_chosen_chat?.query ?? "";
  return chooseChat(query, anchor);
}

/** Asks for a name, and opens a new topic. */
export async function newTopic(chatId) {
  const name = await ask({ title: "New topic", label: "Name of the topic", yes: "Create" });
  if (!name) return;
  const body = { chat_id: chatId, name, user_id: state.personId };
  const made = await attempt(() => post("/sim/topics", body));
  if (made) openChat(chatId, made.message_thread_id);
}

export const deleteMessage = (message) =>
  attempt(() => post("/sim/delete", { chat_id: message.chat.id, message_id: message.message_id }));

let latestCommands = 0;

/** Fetches the commands that this person sees in this chat. */
export async function fetchCommands() {
  if (!chat()) return;
  const ours = ++latestCommands;
  const address = `/sim/commands?chat_id=${state.chatId}&user_id=${state.personId}`;
  const found = await get(address).catch(() => ({ commands: [] }));
  if (ours !== latestCommands) return;
  state.commands = found.commands;
  touch("commands");
}
