/** One message, or one album, as a bubble whose parts can be replaced one by one. */

import { post } from "./api.js";
import { iconButton, icon, make, patch } from "./dom.js";
import { formatted, isOnlyEmoji, isRightToLeft } from "./formatted.js";
import { inlineKeyboard } from "./keyboards.js";
import { albumNode, fadeOver, isBare, isVisual, mediumNode, mediumOf, spaceOf } from "./media.js";
import { openMessageMenu } from "./message_menu.js";
import { avatarOf, hueOf, momentOf, nameOf, summaryOf, timeOf } from "./names.js";
import { attempt, openHint } from "./notices.js";
import { chat, isBot, isOwn, signal, state } from "./store.js";

const ALBUM_PX = 380;

/**
 * A row of the timeline that holds messages.
 *
 * @typedef {{messages: object[], first: boolean, last: boolean}} Row `messages` has several in an
 *   album; `first` and `last` say where the row stands in a run of one author.
 */

/** Fills the node of a row with what the row now says. */
export function fillRow(node, row) {
  const [message] = row.messages;
  const own = isOwn(message);
  const inGroup = chat()?.type !== "private";
  const medium = row.messages.length === 1 ? mediumOf(message) : null;
  const marks = {
    own,
    first: row.first,
    last: row.last,
    grouped: inGroup && !own,
    bare: isBare(medium),
  };
  node.className = ["row", ...Object.keys(marks).filter((mark) => marks[mark])].join(" ");
  if (row.messages.length === 1) node.dataset.messageId = String(message.message_id);
  patch(node, [
    inGroup && !own ? avatarPart(message, row.last) : null,
    {
      name: "column",
      signature: "",
      build: () => make("div", { class: "column" }),
    },
    sideButtons(message),
  ]);
  const column = node.querySelector(":scope > .column");
  patch(column, columnParts(row, message));
  const bubble = column.querySelector(":scope > .bubble");
  const text = textOf(row.messages);
  shape(bubble, row, { medium, text });
  patch(bubble, bubbleParts(row, { message, medium, text, named: inGroup && !own && row.first }));
}

function avatarPart(message, shown) {
  const sender = message.sender_chat ?? message.from;
  const photo = state.persons.find((one) => one.id === sender?.id)?.photo;
  return {
    name: "avatar",
    signature: `${shown} ${sender?.id} ${photo} ${nameOf(sender)}`,
    build: () => (shown ? avatarOf(sender, "small") : make("span", { class: "avatar small none" })),
  };
}

/** The buttons beside a bubble find the newest form of their message by its id. */
function sideButtons(message) {
  const current = () => state.messages.get(message.chat.id)?.get(message.message_id) ?? message;
  return {
    name: "side",
    signature: String(message.message_id),
    build: () =>
      make(
        "div",
        { class: "side" },
        iconButton("reply", "Reply", { on: { click: () => signal("reply", current()) } }),
        iconButton("more", "More", {
          data: { testid: "message-menu" },
          on: { click: (event) => openMessageMenu(current(), { anchor: event.currentTarget }) },
        }),
      ),
  };
}

function columnParts(row, message) {
  const holder = row.messages.find((one) => one.reply_markup?.inline_keyboard?.length) ?? message;
  const keyboard = holder.reply_markup?.inline_keyboard;
  const reactions = row.messages.flatMap((one) => one.sim?.reactions ?? []);
  const unseen = row.messages.find((one) => one.sim?.delivered === false);
  return [
    { name: "bubble", signature: "", build: () => make("div", { class: "bubble" }) },
    keyboard?.length
      ? {
          name: "keyboard",
          signature: JSON.stringify(keyboard),
          build: () => inlineKeyboard(holder),
        }
      : null,
    reactions.length
      ? { name: "reactions", signature: reactions.join(" "), build: () => reactionPill(reactions) }
      : null,
    unseen
      ? { name: "unseen", signature: unseen.sim.reason ?? "", build: () => unseenNote(unseen) }
      : null,
  ];
}

function reactionPill(reactions) {
  const names = `Reaction of the bot: ${reactions.join(" ")}`;
  return make(
    "div",
    { class: "reactions", title: names, "aria-label": names },
    reactions.join(" "),
  );
}

/** Why the bot never saw a message, and what helps. */
function unseenNote(message) {
  const reason = message.sim.reason ?? "";
  const label = reason ? `Not delivered (${reason})` : "Not delivered";
  const node = make(
    "button",
    { type: "button", class: "unseen", data: { testid: "not-delivered" } },
    icon("hidden"),
    label,
  );
  node.title = "The bot never saw this message. Click for what helps.";
  node.addEventListener("click", () => {
    if (/privacy/iu.test(reason)) openPrivacyHint(node, message);
    else openHint(node, make("p", {}, "The bot never saw this message."));
  });
  return node;
}

function openPrivacyHint(anchor, message) {
  const chatId = message.chat.id;
  const run = (work) => () => {
    close();
    attempt(work);
  };
  const close = openHint(
    anchor,
    make("h3", {}, "The bot never saw this"),
    make(
      "p",
      {},
      "In groups a bot in privacy mode gets only commands meant for it, replies to its own ",
      "messages, and service messages. ",
      `Reply to one of its messages, write /command@${state.bot.username}, or:`,
    ),
    make(
      "button",
      {
        type: "button",
        on: {
          click: run(() => post("/sim/members", { chat_id: chatId, status: "administrator" })),
        },
      },
      "Make the bot an administrator",
    ),
    make(
      "button",
      { type: "button", on: { click: run(() => post("/sim/settings", { privacy_mode: false })) } },
      "Turn privacy mode off",
    ),
  );
}

/** Text or caption of a row: an album's caption is that of its first picture that has one. */
function textOf(messages) {
  const holder = messages.find((one) => one.text ?? one.caption);
  if (!holder) return null;
  return {
    message: holder,
    text: holder.text ?? holder.caption,
    entities: holder.entities ?? holder.caption_entities ?? [],
    above: Boolean(holder.show_caption_above_media),
  };
}

function shape(bubble, row, { medium, text }) {
  const album = row.messages.length > 1 && row.messages.every((one) => isVisual(mediumOf(one)));
  const [message] = row.messages;
  const classes = ["bubble"];
  if (album || isVisual(medium)) classes.push("pictured");
  if (isBare(medium)) classes.push("without");
  if (!text) classes.push("wordless");
  if (text && !medium && isOnlyEmoji(text.text)) classes.push("emoji");
  bubble.className = classes.join(" ");
  const withText = Boolean(
    text || message.reply_markup?.inline_keyboard || message.reply_to_message,
  );
  const { style } = bubble.parentElement;
  if (album) style.width = `${ALBUM_PX}px`;
  else if (isVisual(medium)) style.width = `${spaceOf(medium, withText).width}px`;
  else style.removeProperty("width");
}

function bubbleParts(row, { message, medium, text, named }) {
  const parts = [
    named ? namePart(message) : null,
    message.via_bot ? viaPart(message) : null,
    forwardPart(message),
    message.reply_to_message ? quotePart(message) : null,
  ];
  const media =
    row.messages.length > 1
      ? albumParts(row.messages)
      : medium
        ? [mediumPart(message, medium)]
        : [];
  const words = text ? [textPart(row, text)] : [footPart(row, message)];
  return [...parts, ...(text?.above ? [...words, ...media] : [...media, ...words])];
}

function namePart(message) {
  const sender = message.sender_chat ?? message.from;
  const name = nameOf(sender);
  return {
    name: "name",
    signature: name,
    build: () =>
      make(
        "div",
        { class: "sender", data: { hue: hueOf(sender?.id) } },
        name,
        isBot(sender) ? make("span", { class: "tag" }, "bot") : null,
      ),
  };
}

const viaPart = (message) => ({
  name: "via",
  signature: message.via_bot.username ?? "",
  build: () => make("div", { class: "via" }, `via @${message.via_bot.username}`),
});

function forwardPart(message) {
  const origin = message.forward_origin;
  if (!origin) return null;
  const from =
    origin.sender_user_name ?? nameOf(origin.sender_user ?? origin.chat ?? origin.sender_chat);
  return {
    name: "forward",
    signature: from,
    build: () => make("div", { class: "via" }, `Forwarded from ${from}`),
  };
}

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
        data: { hue: hueOf(quoted.from?.id) },
        on: { click: () => signal("jump", quoted.message_id) },
      },
      thumbnail ? make("img", { src: `/sim/file/${thumbnail.file_id}`, alt: "" }) : null,
      make(
        "span",
        { class: "quote-text" },
        make("span", { class: "quote-name" }, nameOf(quoted.from)),
        make("span", { class: "quote-line", dir: "auto" }, summary),
      ),
    );
  return {
    name: "quote",
    signature: `${quoted.message_id} ${summary} ${thumbnail?.file_id}`,
    build,
  };
}

function mediumPart(message, medium) {
  const space = isVisual(medium) ? spaceOf(medium, true) : null;
  const same = [
    medium.fileId,
    medium.kind,
    medium.spoiler,
    medium.width,
    medium.height,
    message.message_id,
  ];
  const build = (old) => {
    const node = mediumNode(message, medium);
    if (space) {
      const alone = spaceOf(medium, false);
      node.style.aspectRatio = `${alone.width} / ${alone.height}`;
    }
    return fadeOver(old, node);
  };
  return { name: "medium", signature: same.join(" "), build };
}

function albumParts(messages) {
  const media = messages.map(mediumOf);
  if (media.every(isVisual)) {
    const signature = messages
      .map((one, index) => `${one.message_id} ${media[index].fileId} ${media[index].spoiler}`)
      .join();
    return [{ name: "album", signature, build: () => albumNode(messages) }];
  }
  return messages.map((message, index) => {
    const part = mediumPart(message, media[index]);
    const build = () => {
      const node = part.build();
      node.dataset.messageId = String(message.message_id);
      return node;
    };
    return { ...part, name: `medium ${message.message_id}`, build };
  });
}

function footOf(row, message) {
  const edited = row.messages.some((one) => one.edit_date);
  return make(
    "span",
    { class: "foot" },
    edited ? make("span", { class: "edited" }, "edited ") : null,
    make(
      "time",
      { title: momentOf(message.date), datetime: new Date(message.date * 1000).toISOString() },
      timeOf(message.date),
    ),
  );
}

const footSignature = (row) => row.messages.map((one) => `${one.date} ${one.edit_date}`).join();

const footPart = (row, message) => ({
  name: "foot",
  signature: footSignature(row),
  build: () => footOf(row, message),
});

function textPart(row, { message, text, entities }) {
  return {
    name: "text",
    signature: `${JSON.stringify([text, entities])} ${footSignature(row)}`,
    build: () =>
      make(
        "div",
        { class: "text", dir: isRightToLeft(text) ? "rtl" : "auto" },
        ...formatted(text, entities, message),
        footOf(row, message),
      ),
  };
}
