/** Text with Telegram's entities as elements. */

import { openAddress, sendCommand } from "./actions.js";
import { safeAddress, startPayload } from "./addresses.js";
import { make } from "./dom.js";

function link(address, children) {
  if (startPayload(address) !== null) {
    const open = () => openAddress(address);
    return make("button", { type: "button", class: "link", on: { click: open } }, ...children);
  }
  const safe = safeAddress(address);
  if (!safe) return make("span", {}, ...children);
  const attributes = { href: safe, target: "_blank", rel: "noopener noreferrer", title: safe };
  return make("a", attributes, ...children);
}

function command(text, message) {
  const send = () => sendCommand(text, message);
  return make("button", { type: "button", class: "link command", on: { click: send } }, text);
}

const TAGS = {
  bold: "b",
  italic: "i",
  underline: "u",
  strikethrough: "s",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
};
const BLOCKS = new Set(["pre", "blockquote"]);

function wrapped(entity, text, children, message) {
  const tag = TAGS[entity.type];
  if (tag) return make(tag, {}, ...children);
  switch (entity.type) {
    case "text_link":
      return link(entity.url ?? "", children);
    case "url":
      return link(text, children);
    case "bot_command":
      return command(text, message);
    case "spoiler":
      return make("span", { class: "spoiler", tabindex: "0" }, ...children);
    default:
      return make("span", { class: "mention" }, ...children);
  }
}

/**
 * Builds the nodes of a text. Offsets are in UTF-16 code units, as in JavaScript. Where entities
 * overlap, the inner one is cut at the end of the outer one.
 */
export function formatted(text, entities = [], message = null) {
  const sorted = [...entities].sort(
    (left, right) => left.offset - right.offset || right.length - left.length,
  );
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
    // A block ends its line itself; the line break after it would leave a gap.
    position = BLOCKS.has(entity.type) && text[to] === "\n" ? to + 1 : to;
    waiting = rest.filter((one) => one.offset + one.length > to);
  }
  if (position < range.to) nodes.push(text.slice(position, range.to));
  return nodes;
}
