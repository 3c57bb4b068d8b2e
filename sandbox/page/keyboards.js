/** The buttons below a message. */

import { tap } from "./actions.js";
import { icon, make } from "./dom.js";

function markOf(button) {
  if (button.callback_data !== undefined) return null;
  if (button.url) return "link";
  return button.copy_text ? "copy" : "swap";
}

function inlineButton(message, button) {
  const mark = markOf(button);
  const node = make(
    "button",
    { type: "button", class: "key", title: button.url ?? null },
    make("span", { class: "key-text", dir: "auto" }, button.text),
    mark ? make("span", { class: "key-mark" }, icon(mark)) : null,
  );
  node.addEventListener("click", async () => {
    if (node.getAttribute("aria-busy") === "true") return;
    node.setAttribute("aria-busy", "true");
    await tap(message, button, node);
    node.removeAttribute("aria-busy");
  });
  return node;
}

/** Builds the inline keyboard of a message. */
export function inlineKeyboard(message) {
  const rows = message.reply_markup.inline_keyboard.map((row) =>
    make("div", { class: "keyboard-row" }, ...row.map((button) => inlineButton(message, button))),
  );
  return make("div", { class: "keyboard", role: "group", "aria-label": "Buttons" }, ...rows);
}
