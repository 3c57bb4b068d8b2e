/** The messages of the open chat, by day and author. */

import { fillRow } from "./bubble.js";
import { calm, icon, make, patch } from "./dom.js";
import { avatarOf, dayOf, nameOf, serviceText } from "./names.js";
import { copy } from "./notices.js";
import * as store from "./store.js";
import { state } from "./store.js";

const RUN_S = 300;
const NEAR_PX = 60;
const CONTROLS = "button, a, video, audio";

const scroller = document.getElementById("scroller");
const timeline = document.getElementById("timeline");
const arrow = document.getElementById("to-newest");

let nodes = new Map();
let openPlace = "";
let atNewest = true;
let lastHeight = 0;

/** Groups messages into rows. */
function rowsOf(messages) {
  const rows = [];
  let day = "";
  for (const message of messages) {
    const its = dayOf(message.date);
    if (its !== day) rows.push({ kind: "day", key: `day ${its}`, text: its });
    day = its;
    const before = rows.at(-1);
    const text = serviceText(message);
    if (text) {
      rows.push({ kind: "service", key: `m${message.message_id}`, text });
      continue;
    }
    // Documents and audio files of an album are shown one below the other.
    const isListed = message.document || message.audio;
    const album = isListed ? undefined : message.media_group_id;
    if (album && before.album === album) before.messages.push(message);
    else rows.push({ kind: "message", key: `m${message.message_id}`, album, messages: [message] });
  }
  markRuns(rows);
  return rows;
}

function markRuns(rows) {
  const joins = (upper, lower) =>
    upper?.kind === "message" &&
    lower?.kind === "message" &&
    store.authorOf(upper.messages[0]) === store.authorOf(lower.messages[0]) &&
    lower.messages[0].date - upper.messages.at(-1).date < RUN_S;
  rows.forEach((row, index) => {
    row.first = !joins(rows[index - 1], row);
    row.last = !joins(row, rows[index + 1]);
  });
}

function rowNode(row) {
  if (row.kind === "message") return make("article", { class: "row" });
  return make("div", { class: row.kind }, make("span", {}, row.text));
}

function isUnchanged(old, row) {
  if (!old || row.kind !== "message") return Boolean(old);
  const { messages } = old.row;
  const same =
    messages.length === row.messages.length &&
    messages.every((one, index) => one === row.messages[index]);
  return same && old.row.first === row.first && old.row.last === row.last;
}

/** Shows what the store holds for the open chat. */
function render(topics) {
  const place = `${state.personId}:${store.placeKey(state.chatId, state.threadId)}`;
  const isNewPlace = place !== openPlace;
  if (isNewPlace) leave(place);
  const rows = rowsOf(store.openMessages());
  const live = !isNewPlace && nodes.size > 0;
  const next = new Map();
  for (const row of rows) {
    const old = nodes.get(row.key);
    const node = old?.node ?? rowNode(row);
    const isStale = topics.has("directory") || !isUnchanged(old, row);
    if (row.kind === "message" && isStale) fillRow(node, row);
    if (!old && live) node.classList.add("arriving");
    next.set(row.key, { node, row });
  }
  nodes = next;
  const parts = [...next].map(([name, { node }]) => ({ name, signature: "", build: () => node }));
  patch(timeline, [rows.length ? null : welcomePart(), ...parts, alonePart()]);
  timeline.classList.toggle("empty", rows.length === 0);
  if (isNewPlace || atNewest) toNewest(false);
}

function leave(place) {
  openPlace = place;
  atNewest = true;
  nodes = new Map();
  patch(timeline, []);
  arrow.hidden = true;
}

/** What an empty chat shows: who the bot is, or how to begin. */
function welcomePart() {
  const one = store.chat();
  const isPrivate = one?.type === "private";
  const about = isPrivate
    ? state.bot.description || "Press START to say hello."
    : "No messages yet. In groups the bot receives commands and replies to its messages.";
  return {
    name: "welcome",
    signature: `${one?.id} ${about}`,
    build: () =>
      make(
        "div",
        { class: "welcome" },
        avatarOf(one, "large"),
        make("h2", {}, nameOf(one)),
        isPrivate ? make("p", { class: "welcome-name" }, `@${state.bot.username}`) : null,
        make("p", { class: "welcome-about", dir: "auto" }, about),
      ),
  };
}

/** Where no bot listens, a started chat tells how to connect one. */
function alonePart() {
  const one = store.chat();
  if (one?.type !== "private" || !one.is_started || state.bot.is_listening) return null;
  const chip = (value) => {
    const attributes = { type: "button", class: "chip", title: "Copy" };
    return make("button", { ...attributes, on: { click: () => copy(value) } }, icon("copy"), value);
  };
  return {
    name: "alone",
    signature: state.token,
    build: () =>
      make(
        "div",
        { class: "alone", data: { testid: "nobody-listens" } },
        make("p", {}, "No bot listens yet. Start yours with this Bot API address and token:"),
        chip(`${window.location.origin}/bot`),
        chip(state.token),
      ),
  };
}

function toNewest(smoothly) {
  const behavior = smoothly && !calm.matches ? "smooth" : "instant";
  scroller.scrollTo({ top: scroller.scrollHeight, behavior });
  lastHeight = scroller.scrollHeight;
  atNewest = true;
  arrow.hidden = true;
}

/** Scrolls to a message and highlights it. */
function jump(messageId) {
  const node = timeline.querySelector(`[data-message-id="${Number(messageId)}"]`);
  if (!node) return;
  atNewest = false;
  node.scrollIntoView({ block: "center", behavior: calm.matches ? "instant" : "smooth" });
  node.classList.add("flash");
  setTimeout(() => node.classList.remove("flash"), 1600);
}

function noticePosition() {
  // A change of height is not the reader's scrolling.
  if (scroller.scrollHeight !== lastHeight && atNewest) return;
  const distance = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  atNewest = distance < NEAR_PX;
  arrow.hidden = atNewest;
}

/** A double click on a message replies to it. */
function replyAt(event) {
  const id = event.target.closest("[data-message-id]")?.dataset.messageId;
  const message = state.messages.get(state.chatId)?.get(Number(id));
  if (!message || event.target.closest(CONTROLS)) return;
  window.getSelection()?.removeAllRanges();
  store.signal("reply", message);
}

/** Shows the open chat. */
export function startTimeline() {
  store.watch(["place", "messages", "directory"], render);
  store.onSignal("jump", jump);
  store.onSignal("sent", ({ chatId }) => {
    if (chatId === state.chatId) requestAnimationFrame(() => toNewest(false));
  });
  scroller.addEventListener("scroll", noticePosition, { passive: true });
  timeline.addEventListener("dblclick", replyAt);
  arrow.append(icon("down"));
  arrow.addEventListener("click", () => toNewest(true));
  const sizes = new ResizeObserver(() => {
    if (atNewest) toNewest(false);
    lastHeight = scroller.scrollHeight;
  });
  sizes.observe(timeline);
  sizes.observe(scroller);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && state.unread.delete(state.chatId)) store.touch("messages");
  });
}
