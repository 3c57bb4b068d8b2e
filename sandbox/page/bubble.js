/** One message, or one album, as a bubble whose parts can be replaced one by one. */

import { deleteMessage } from "./actions.js";
import { fileAddress, post } from "./api.js";
import { iconButton, icon, make, patch } from "./dom.js";
import { formatted } from "./formatted.js";
import { inlineKeyboard } from "./keyboards.js";
import { albumNode, isBare, isVisual, mediumNode, mediumOf, spaceOf } from "./media.js";
import { avatarOf, hueOf, nameOf, summaryOf, timeOf } from "./names.js";
import { attempt, openMenu } from "./notices.js";
import { chat, isBot, isOwn, signal, state } from "./store.js";

const ALBUM_PX = 380;

/**
 * A row of the timeline that holds messages.
 *
 * @typedef {{messages: object[], first: boolean, last: boolean}} Row `messages` has several items
 *   in an album; `first` and `last` tell its place among consecutive rows of one author.
 */

/** Updates the node of a row. */
export function fillRow(node, row) {
  const [message] = row.messages;
  const own = isOwn(message);
  const grouped = chat()?.type !== "private" && !own;
  const medium = row.messages.length === 1 ? mediumOf(message) : null;
  const marks = { own, grouped, first: row.first, last: row.last, bare: isBare(medium) };
  node.className = ["row", ...Object.keys(marks).filter((mark) => marks[mark])].join(" ");
  if (row.messages.length === 1) node.dataset.messageId = String(message.message_id);
  patch(node, [
    grouped ? avatarPart(message, row.last) : null,
    { name: "column", signature: "", build: () => make("div", { class: "column" }) },
    sideButtons(message),
  ]);
  const column = node.querySelector(":scope > .column");
  patch(column, columnParts(row, message));
  const bubble = column.querySelector(":scope > .bubble");
  const text = textOf(row.messages);
  shape(bubble, row, { medium, text });
  patch(bubble, bubbleParts(row, { message, medium, text, named: grouped && row.first }));
}

const senderOf = (message) => message.sender_chat ?? message.from;

function avatarPart(message, shown) {
  const sender = senderOf(message);
  const photo = state.persons.find((one) => one.id === sender.id)?.photo;
  return {
    name: "avatar",
    signature: `${shown} ${sender.id} ${photo} ${nameOf(sender)}`,
    build: () => (shown ? avatarOf(sender, "small") : make("span", { class: "avatar small none" })),
  };
}

/** The buttons beside a bubble look up the newest version of their message. */
function sideButtons(message) {
  const current = () => state.messages.get(message.chat.id)?.get(message.message_id) ?? message;
  const reply = () => signal("reply", current());
  const remove = () => deleteMessage(message);
  return {
    name: "side",
    signature: String(message.message_id),
    build: () =>
      make(
        "div",
        { class: "side" },
        iconButton("reply", "Reply", { on: { click: reply } }),
        iconButton("trash", "Delete", { on: { click: remove } }),
      ),
  };
}

function columnParts(row, message) {
  const reactions = (message.sim?.reactions ?? []).join(" ");
  const unseen = row.messages.find((one) => one.sim?.delivered === false);
  return [
    { name: "bubble", signature: "", build: () => make("div", { class: "bubble" }) },
    message.reply_markup
      ? {
          name: "keyboard",
          signature: JSON.stringify(message.reply_markup),
          build: () => inlineKeyboard(message),
        }
      : null,
    reactions ? { name: "reactions", signature: reactions, build: () => pill(reactions) } : null,
    unseen
      ? { name: "unseen", signature: unseen.sim.reason ?? "", build: () => unseenNote(unseen) }
      : null,
  ];
}

const pill = (reactions) =>
  make("div", { class: "reactions", title: "Reaction of the bot" }, reactions);

/** Tells why the bot did not receive a message, and offers what helps. */
function unseenNote(message) {
  const { reason } = message.sim;
  const attributes = { class: "unseen", data: { testid: "not-delivered" } };
  const inside = [icon("hidden"), `Not delivered (${reason})`];
  if (reason !== "privacy mode") return make("span", attributes, ...inside);
  const change = (address, body) => () => attempt(() => post(address, body));
  const admin = { chat_id: message.chat.id, status: "administrator" };
  const items = [
    {
      label: "Make the bot an administrator",
      icon: "group",
      run: change("/sim/members", admin),
    },
    {
      label: "Turn privacy mode off",
      icon: "hidden",
      run: change("/sim/settings", { privacy_mode: false }),
    },
  ];
  const node = make("button", { ...attributes, type: "button" }, ...inside);
  node.title = "In privacy mode a bot receives only commands meant for it and replies to it.";
  node.addEventListener("click", () => openMenu(items, node));
  return node;
}

/** Returns the text or caption of a row; in an album, the first caption. */
function textOf(messages) {
  const holder = messages.find((one) => one.text ?? one.caption);
  if (!holder) return null;
  return {
    message: holder,
    text: holder.text ?? holder.caption,
    entities: holder.entities ?? holder.caption_entities ?? [],
  };
}

function shape(bubble, row, { medium, text }) {
  const album = row.messages.length > 1;
  const [message] = row.messages;
  const classes = ["bubble"];
  if (album || isVisual(medium)) classes.push("pictured");
  if (isBare(medium)) classes.push("without");
  if (!text) classes.push("wordless");
  bubble.className = classes.join(" ");
  const withText = Boolean(text || message.reply_markup || message.reply_to_message);
  const { style } = bubble.parentElement;
  if (album) style.width = `${ALBUM_PX}px`;
  else if (isVisual(medium)) style.width = `${spaceOf(medium, withText).width}px`;
  else style.removeProperty("width");
}

function bubbleParts(row, { message, medium, text, named }) {
  return [
    named ? namePart(message) : null,
    message.via_bot ? viaPart(message) : null,
    message.reply_to_message ? quotePart(message) : null,
    row.messages.length > 1 ? albumPart(row.messages) : null,
    medium ? mediumPart(medium) : null,
    text ? textPart(row, text) : footPart(row, message),
  ];
}

function namePart(message) {
  const sender = senderOf(message);
  const name = nameOf(sender);
  return {
    name: "name",
    signature: name,
    build: () =>
      make(
        "div",
        { class: "sender", data: { hue: hueOf(sender.id) } },
        name,
        isBot(sender) ? make("span", { class: "tag" }, "bot") : null,
      ),
  };
}

const viaPart = (message) => ({
  name: "via",
  signature: "",
  build: () => make("div", { class: "via" }, `via @${message.via_bot.username}`),
});

function quotePart(message) {
  const quoted = message.reply_to_message;
  const summary = summaryOf(quoted);
  const thumbnail = quoted.photo?.at(0) ?? (quoted.animation ?? quoted.video)?.thumbnail;
  const build = () =>
    make(
      "button",
      {
        type: "button",
        class: "quote",
        title: "Go to this message",
        data: { hue: hueOf(quoted.from.id) },
        on: { click: () => signal("jump", quoted.message_id) },
      },
      thumbnail ? make("img", { src: fileAddress(thumbnail.file_id), alt: "" }) : null,
      make(
        "span",
        { class: "quote-text" },
        make("span", { class: "quote-name" }, nameOf(quoted.from)),
        make("span", { class: "quote-line", dir: "auto" }, summary),
      ),
    );
  const signature = `${quoted.message_id} ${summary} ${thumbnail?.file_id}`;
  return { name: "quote", signature, build };
}

function mediumPart(medium) {
  const build = () => {
    const node = mediumNode(medium);
    if (isVisual(medium)) {
      const { width, height } = spaceOf(medium, false);
      node.style.aspectRatio = `${width} / ${height}`;
    }
    return node;
  };
  return { name: "medium", signature: `${medium.fileId} ${medium.kind}`, build };
}

const albumPart = (messages) => ({
  name: "album",
  signature: messages.map((one) => mediumOf(one).fileId).join(),
  build: () => albumNode(messages),
});

function footOf(row, message) {
  const edited = row.messages.some((one) => one.edit_date);
  return make("span", { class: "foot" }, `${edited ? "edited " : ""}${timeOf(message.date)}`);
}

const footSignature = (row) => row.messages.map((one) => `${one.date} ${one.edit_date}`).join();

const footPart = (row, message) => ({
  name: "foot",
  signature: footSignature(row),
  build: () => footOf(row, message),
});

const textPart = (row, { message, text, entities }) => ({
  name: "text",
  signature: `${JSON.stringify([text, entities])} ${footSignature(row)}`,
  build: () =>
    make(
      "div",
      { class: "text", dir: "auto" },
      ...formatted(text, entities, message),
      footOf(row, message),
    ),
});
