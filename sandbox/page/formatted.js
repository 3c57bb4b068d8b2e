/** Text with Telegram's entities as elements. */

import { sendCommand, start } from "./actions.js";
import { safeAddress, startPayload } from "./addresses.js";
import { icon, make } from "./dom.js";
import { copy } from "./notices.js";

function link(address, children) {
  const payload = startPayload(address);
  if (payload !== null) {
    return make(
      "button",
      { type: "button", class: "link", on: { click: () => start(payload) } },
      ...children,
    );
  }
  const safe = safeAddress(address);
  if (!safe) return make("span", {}, ...children);
  return make(
    "a",
    { href: safe, target: "_blank", rel: "noopener noreferrer", title: safe },
    ...children,
  );
}

function spoiler(children) {
  const node = make(
    "span",
    { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Hidden text, show it" },
    make("span", {}, ...children),
  );
  const show = (event) => {
    if (event.type === "keydown" && !["Enter", " "].includes(event.key)) return;
    if (!node.classList.contains("shown")) event.preventDefault();
    node.classList.add("shown");
    node.removeAttribute("aria-label");
  };
  node.addEventListener("click", show);
  node.addEventListener("keydown", show);
  return node;
}

function preformatted(entity, text, children) {
  const label = entity.language || "code";
  const copyIt = () => copy(text, "Code copied");
  return make(
    "div",
    { class: "pre" },
    make(
      "div",
      { class: "pre-head" },
      make("span", {}, label),
      make(
        "button",
        { type: "button", "aria-label": "Copy code", on: { click: copyIt } },
        icon("copy"),
      ),
    ),
    make("pre", { dir: "ltr", tabindex: "0" }, make("code", {}, ...children)),
  );
}

function expandable(children) {
  const quote = make("blockquote", { class: "folded" }, ...children);
  const toggle = make(
    "button",
    { type: "button", class: "fold", "aria-expanded": "false" },
    "Show more",
  );
  toggle.addEventListener("click", () => {
    const folded = quote.classList.toggle("folded");
    toggle.textContent = folded ? "Show more" : "Show less";
    toggle.setAttribute("aria-expanded", String(!folded));
  });
  return make("div", {}, quote, toggle);
}

function commandButton(text, message) {
  const send = () => sendCommand(text, message);
  return make("button", { type: "button", class: "link command", on: { click: send } }, text);
}

const PLAIN = {
  bold: "b",
  italic: "i",
  underline: "u",
  strikethrough: "s",
  code: "code",
  blockquote: "blockquote",
};

const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

function wrapped(entity, text, children, message) {
  const tag = PLAIN[entity.type];
  if (tag) return make(tag, {}, ...children);
  switch (entity.type) {
    case "spoiler":
      return spoiler(children);
    case "pre":
      return preformatted(entity, text, children);
    case "expandable_blockquote":
      return expandable(children);
    case "text_link":
      return link(entity.url ?? "", children);
    case "url":
      return link(text, children);
    case "bot_command":
      return commandButton(text, message);
    case "mention":
    case "text_mention":
    case "hashtag":
    case "cashtag":
    case "email":
    case "phone_number":
      return make("span", { class: "mention" }, ...children);
    default:
      return make("span", {}, ...children);
  }
}

/**
 * The nodes of a text. Offsets are UTF-16 units, which is how JavaScript counts too.
 * Entities that overlap are cut where the outer one ends.
 */
export function formatted(text, entities = [], message = null) {
  const sorted = [...entities]
    .filter((one) => one.length > 0 && one.offset >= 0)
    .sort((left, right) => left.offset - right.offset || right.length - left.length);
  return nested(text, { from: 0, to: text.length }, sorted, message);
}

function nested(text, range, entities, message) {
  const nodes = [];
  let position = range.from;
  let waiting = entities;
  while (waiting.length > 0) {
    const [entity, ...rest] = waiting;
    const from = Math.max(entity.offset, position);
    const to = Math.min(entity.offset + entity.length, range.to);
    waiting = rest;
    if (to <= from) continue;
    if (from > position) nodes.push(text.slice(position, from));
    const inside = rest.filter((one) => one.offset < to);
    const children = nested(text, { from, to }, inside, message);
    nodes.push(wrapped(entity, text.slice(from, to), children, message));
    // A block ends its line by itself; the line break after it would leave a gap.
    position = BLOCKS.has(entity.type) && text[to] === "\n" ? to + 1 : to;
    waiting = rest.filter((one) => one.offset + one.length > to);
  }
  if (position < range.to) nodes.push(text.slice(position, range.to));
  return nodes;
}

const RIGHT_TO_LEFT =
  /^[^\p{L}]*[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u;
const ONLY_EMOJI =
  /^(?:\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier}|\u200D\p{Extended_Pictographic})*\s*){1,3}$/u;

export const isRightToLeft = (text) => RIGHT_TO_LEFT.test(text);
export const isOnlyEmoji = (text) => ONLY_EMOJI.test(text);
