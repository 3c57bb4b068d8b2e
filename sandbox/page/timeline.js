/** The messages of the open chat: days, runs of one author, albums; scrolled as one expects. */

import { start } from "./actions.js";
import { fillRow } from "./bubble.js";
import { calm, icon, make } from "./dom.js";
import { listenForMenus } from "./message_menu.js";
import { avatarOf, dayOf, nameOf, serviceText } from "./names.js";
import * as store from "./store.js";
import { state } from "./store.js";
import { renderTail } from "./tail.js";

const RUN_S = 300;
const WINDOW = 150;
const NEAR_PX = 60;

const scroller = document.getElementById("scroller");
const timeline = document.getElementById("timeline");
const arrow = document.getElementById("to-newest");

let nodes = new Map();
let openPlace = "";
let shownRows = WINDOW;
let atNewest = true;
let missed = 0;
let lastHeight = 0;
let steeringUntil = 0;
let lookAgain = 0;

/** Splits messages into the rows of the timeline. */
function rowsOf(messages) {
  const rows = [];
  let day = "";
  for (const message of messages) {
    const its = new Date(message.date * 1000).toDateString();
    if (its !== day) rows.push({ kind: "day", key: `day ${its}`, label: dayOf(message.date) });
    day = its;
    const before = rows.at(-1);
    const text = serviceText(message);
    if (text) {
      rows.push({ kind: "service", key: `m${message.message_id}`, text, message });
    } else if (message.media_group_id && before?.album === message.media_group_id) {
      before.messages.push(message);
    } else {
      rows.push({
        kind: "message",
        key: `m${message.message_id}`,
        album: message.media_group_id,
        messages: [message],
      });
    }
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
    if (row.kind !== "message") return;
    row.first = !joins(rows[index - 1], row);
    row.last = !joins(row, rows[index + 1]);
  });
}

function rowNode(row) {
  if (row.kind === "day") return make("div", { class: "day" }, make("span", {}, row.label));
  if (row.kind === "service") {
    return make(
      "div",
      { class: "service", data: { messageId: String(row.message.message_id) } },
      make("span", {}, row.text),
    );
  }
  return make("article", { class: "row" });
}

function isUnchanged(old, row) {
  if (!old || old.row.kind !== row.kind) return false;
  if (row.kind !== "message") return true;
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
  const all = rowsOf(store.openMessages());
  const rows = all.slice(-shownRows);
  const live = !isNewPlace && nodes.size > 0;
  const next = nodesOf(rows, { live, refill: topics.has("directory") });
  for (const [key, { node }] of nodes) if (!next.has(key)) vanish(node, live);
  putInOrder(next, all.length > rows.length);
  nodes = next;
  timeline.classList.toggle("empty", rows.length === 0);
  if (isNewPlace || atNewest) toNewest(false);
  if (atNewest && !document.hidden) store.markRead();
  timeline.setAttribute("aria-busy", "false");
}

/** The nodes of rows by their keys; those that are there already are filled anew if stale. */
function nodesOf(rows, { live, refill }) {
  const next = new Map();
  for (const row of rows) {
    const old = nodes.get(row.key);
    const node = old?.node ?? rowNode(row);
    const isStale = refill || !isUnchanged(old, row);
    if (row.kind === "message" && isStale) fillRow(node, row);
    if (!old && live && row.kind !== "day") node.classList.add("arriving");
    next.set(row.key, { node, row });
  }
  return next;
}

function leave(place) {
  openPlace = place;
  shownRows = WINDOW;
  atNewest = true;
  missed = 0;
  nodes = new Map();
  timeline.setAttribute("aria-busy", "true");
  timeline.replaceChildren(renderTail());
  showArrow();
}

/** Puts the rows into the page in order and moves only those that stand wrong. */
function putInOrder(next, hasEarlier) {
  let earlier = timeline.querySelector(":scope > .earlier");
  if (hasEarlier && !earlier) {
    earlier = make(
      "button",
      { type: "button", class: "earlier", on: { click: showEarlier } },
      "Earlier messages",
    );
    timeline.prepend(earlier);
  }
  if (!hasEarlier) earlier?.remove();
  timeline.querySelector(":scope > .welcome")?.remove();
  if (next.size === 0) timeline.lastChild.before(welcome());
  let cursor = hasEarlier ? earlier.nextSibling : timeline.firstChild;
  for (const { node } of next.values()) {
    while (cursor?.classList.contains("going")) cursor = cursor.nextSibling;
    if (node === cursor) cursor = cursor.nextSibling;
    else timeline.insertBefore(node, cursor);
  }
}

function vanish(node, softly) {
  if (!softly || calm.matches || !node.isConnected) {
    node.remove();
    return;
  }
  node.classList.add("going");
  const height = `${node.offsetHeight}px`;
  const fade = node.animate(
    [
      { height, opacity: 1, transform: "none" },
      { height: "0px", opacity: 0, transform: "scale(0.94)", marginTop: "0px" },
    ],
    { duration: 220, easing: "ease-in-out" },
  );
  fade.finished.catch(() => {}).then(() => node.remove());
}

/** What an empty chat shows: who the bot is, or how to begin. */
function welcome() {
  const one = store.chat();
  if (!one) return make("div", { class: "welcome" }, make("p", {}, "Choose a chat."));
  const isPrivate = one.type === "private";
  const about = isPrivate
    ? state.bot.description || state.bot.short_description || "Press START to say hello."
    : "No messages here yet. In groups the bot sees commands and replies to it; / lists them.";
  return make(
    "div",
    { class: "welcome" },
    avatarOf(one, "large"),
    make("h2", {}, isPrivate ? nameOf(state.bot) : nameOf(one)),
    isPrivate ? make("p", { class: "welcome-name" }, `@${state.bot.username}`) : null,
    make("p", { class: "welcome-about", dir: "auto" }, about),
    isPrivate && one.is_started
      ? make(
          "button",
          { type: "button", class: "chip", on: { click: () => start() } },
          "Send /start",
        )
      : null,
  );
}

function showEarlier() {
  const before = scroller.scrollHeight - scroller.scrollTop;
  shownRows += WINDOW;
  atNewest = false;
  render(new Set());
  scroller.scrollTop = scroller.scrollHeight - before;
}

/** Scrolls to the newest message. */
function toNewest(smoothly) {
  const far = scroller.scrollHeight - scroller.scrollTop > 3 * scroller.clientHeight;
  const behavior = smoothly && !far && !calm.matches ? "smooth" : "instant";
  // The scroll events of the way there are the page's, not the reader's.
  if (behavior === "smooth") steeringUntil = performance.now() + 500;
  scroller.scrollTo({ top: scroller.scrollHeight, behavior });
  lastHeight = scroller.scrollHeight;
  if (atNewest) return;
  atNewest = true;
  missed = 0;
  showArrow();
}

function showArrow() {
  arrow.hidden = atNewest;
  const label = missed
    ? `${missed} new ${missed === 1 ? "message" : "messages"}`
    : "To the newest message";
  arrow.setAttribute("aria-label", label);
  arrow.title = label;
  arrow.replaceChildren(
    icon("down"),
    missed ? make("span", { class: "count" }, String(missed)) : "",
  );
}

/** Scrolls to a message and lets it light up. */
function jump(messageId) {
  const find = () => timeline.querySelector(`[data-message-id="${Number(messageId)}"]`);
  if (!find()) {
    shownRows = Number.MAX_SAFE_INTEGER;
    atNewest = false;
    render(new Set());
  }
  const node = find();
  if (!node) return;
  node.scrollIntoView({ block: "center", behavior: calm.matches ? "instant" : "smooth" });
  node.classList.remove("flash");
  requestAnimationFrame(() => node.classList.add("flash"));
  setTimeout(() => node.classList.remove("flash"), 1600);
}

function noticePosition() {
  const steering = steeringUntil - performance.now();
  if (steering > 0) {
    clearTimeout(lookAgain);
    lookAgain = setTimeout(noticePosition, steering + 20);
    return;
  }
  const distance = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  // A change of height is not the reader's scrolling.
  if (scroller.scrollHeight !== lastHeight && atNewest) return;
  const now = distance < NEAR_PX;
  if (now === atNewest) return;
  atNewest = now;
  if (now) {
    missed = 0;
    store.markRead();
  }
  showArrow();
}

function countArrival({ chatId, message }) {
  const here =
    chatId === state.chatId && store.messagesOf(store.chat(), state.threadId).includes(message);
  if (!here || atNewest || store.isOwn(message)) return;
  missed += 1;
  showArrow();
}

/** Begins to show the open chat. */
export function startTimeline() {
  store.watch(["place", "messages", "directory"], render);
  store.onSignal("arrived", countArrival);
  store.onSignal("jump", jump);
  store.watch(["place", "directory", "outbox"], renderTail);
  store.onSignal("sent", ({ chatId }) => {
    if (chatId === state.chatId) requestAnimationFrame(() => toNewest(true));
  });
  scroller.addEventListener("scroll", noticePosition, { passive: true });
  arrow.addEventListener("click", () => {
    missed = 0;
    showArrow();
    toNewest(true);
  });
  const follow = () => {
    if (atNewest) toNewest(false);
    lastHeight = scroller.scrollHeight;
  };
  const sizes = new ResizeObserver(follow);
  sizes.observe(timeline);
  sizes.observe(scroller);
  document.addEventListener(
    "visibilitychange",
    () => atNewest && !document.hidden && store.markRead(),
  );
  listenForMenus(timeline);
}
