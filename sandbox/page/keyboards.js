/** The buttons under a message and the keyboard under the composer. */

import { sendText, tap } from "./actions.js";
import { icon, make } from "./dom.js";
import { toast } from "./notices.js";
import { authorOf, chat, isBot, openMessages, state } from "./store.js";

function markOf(button) {
  if (button.url || button.login_url || button.web_app) return "link";
  if (button.copy_text) return "copy";
  const switches = [
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
  ];
  return switches.some((key) => button[key] !== undefined) ? "swap" : null;
}

function inlineButton(message, button) {
  const mark = markOf(button);
  const node = make(
    "button",
    { type: "button", class: `key ${button.style ?? ""}`.trim(), title: button.url ?? null },
    make("span", { class: "key-text", dir: "auto" }, button.text),
    mark ? make("span", { class: "key-mark" }, icon(mark)) : null,
  );
  node.addEventListener("click", async () => {
    if (node.getAttribute("aria-busy") === "true") return;
    node.setAttribute("aria-busy", "true");
    await tap(message, button);
    node.removeAttribute("aria-busy");
  });
  return node;
}

/** The inline keyboard of a message; null if it has none. */
export function inlineKeyboard(message) {
  const rows = message.reply_markup?.inline_keyboard ?? [];
  if (rows.length === 0) return null;
  return make(
    "div",
    { class: "keyboard", role: "group", "aria-label": "Buttons of the message" },
    ...rows.map((row) =>
      make("div", { class: "keyboard-row" }, ...row.map((button) => inlineButton(message, button))),
    ),
  );
}

/** Whether a keyboard with `selective` is meant for the current person. */
function isForMe(message, markup) {
  if (!markup.selective || chat()?.type === "private") return true;
  const answered = message.reply_to_message;
  const named = (message.entities ?? []).some((one) => one.user?.id === state.personId);
  return named || (answered && authorOf(answered) === state.personId);
}

/**
 * What the bot asked of the composer last: a keyboard, an answer, or neither.
 *
 * @returns {{keyboard: object|null, forced: object|null, used: boolean}} `keyboard` is a
 *   ReplyKeyboardMarkup, `forced` the message to answer, `used` whether the person wrote since.
 */
export function askedOfComposer() {
  const messages = openMessages();
  let used = false;
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const message = messages[index];
    const markup = message.sim?.reply_markup;
    if (authorOf(message) === state.personId) used = true;
    if (!isBot(message.from) || !markup || !isForMe(message, markup)) continue;
    if (markup.keyboard)
      return { keyboard: markup, forced: null, used, messageId: message.message_id };
    if (markup.force_reply) return { keyboard: null, forced: used ? null : message, used, markup };
    if (markup.remove_keyboard) break;
  }
  return { keyboard: null, forced: null, used };
}

function press(button) {
  const asks = [
    "request_contact",
    "request_location",
    "request_poll",
    "request_users",
    "request_chat",
    "web_app",
  ];
  if (typeof button !== "string" && asks.some((key) => button[key])) {
    toast("The sandbox cannot share what this button asks for.", "error");
    return;
  }
  sendText(typeof button === "string" ? button : button.text);
}

/** A ReplyKeyboardMarkup as buttons that send their text. */
export function replyKeyboard(markup) {
  const key = (button) => {
    const text = typeof button === "string" ? button : button.text;
    return make(
      "button",
      {
        type: "button",
        class: `key ${button.style ?? ""}`.trim(),
        on: { click: () => press(button) },
      },
      make("span", { class: "key-text", dir: "auto" }, text),
    );
  };
  const size = markup.resize_keyboard ? "" : " tall";
  return make(
    "div",
    {
      class: `reply-keyboard${size}`,
      data: { testid: "reply-keyboard" },
      role: "group",
      "aria-label": "Keyboard of the bot",
    },
    ...markup.keyboard.map((row) => make("div", { class: "keyboard-row" }, ...row.map(key))),
  );
}
