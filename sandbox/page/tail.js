/** What stands below the newest message: what is still on its way, and how a bot gets here. */

import { pictureOf } from "./attachments.js";
import { icon, iconButton, make, patch } from "./dom.js";
import { copy } from "./notices.js";
import { callBack, canStop, leaveOut, sendAgain, takeBack, underWay } from "./outbox.js";
import { chat, state } from "./store.js";

const node = make("div", { class: "tail" });

const numbers = new WeakMap();
let latestNumber = 0;

function numberOf(entry) {
  if (!numbers.has(entry)) numbers.set(entry, ++latestNumber);
  return numbers.get(entry);
}

function chip(label, run) {
  return make("button", { type: "button", class: "chip", on: { click: run } }, label);
}

function failedPart(entry) {
  const build = () =>
    make(
      "div",
      { class: "not-sent", data: { testid: "not-sent" } },
      make("p", {}, entry.why),
      chip("Try again", () => sendAgain(entry)),
      chip("Back to the field", () => takeBack(entry)),
      chip("Leave out", () => leaveOut(entry)),
    );
  return { name: "failed", signature: entry.why, build };
}

/** How far a message is. The button stays the same node, or a click might fall between two. */
function footParts(entry) {
  if (entry.state === "failed") return [failedPart(entry)];
  const label = entry.state === "waiting" ? "Waiting" : "Sending";
  const stop = () =>
    iconButton("close", "Do not send this", {
      data: { testid: "call-back" },
      on: { click: () => callBack(entry) },
    });
  const bar = () =>
    make("div", { class: "progress", role: "progressbar", "aria-label": "Upload" }, make("i"));
  return [
    { name: "words", signature: label, build: () => make("span", {}, label) },
    entry.files.length ? { name: "bar", signature: "", build: bar } : null,
    canStop(entry) ? { name: "stop", signature: "", build: stop } : null,
  ];
}

function renderFoot(foot, entry) {
  patch(foot, footParts(entry));
  const bar = foot.querySelector(".progress");
  if (!bar) return;
  const percent = Math.round(entry.share * 100);
  bar.setAttribute("aria-valuenow", String(percent));
  bar.firstChild.style.width = `${percent}%`;
}

function bubbleOf(entry) {
  const files = entry.files.map((item) =>
    make(
      "figure",
      { class: `waiting ${item.kind}`, title: item.file.name },
      pictureOf(item),
      item.address ? null : make("figcaption", {}, item.file.name),
    ),
  );
  return make(
    "div",
    { class: "bubble" },
    files.length ? make("div", { class: "under-way-files" }, ...files) : null,
    entry.text ? make("div", { class: "text", dir: "auto" }, entry.text) : null,
    make("div", { class: "under-way-foot" }),
  );
}

function underWayPart(entry) {
  return {
    name: `message ${numberOf(entry)}`,
    signature: `${entry.files.length} ${entry.text}`,
    build: () =>
      make(
        "article",
        { class: "row own first last under-way", data: { testid: "under-way" } },
        make("div", { class: "column" }, bubbleOf(entry)),
      ),
  };
}

const copied = (label, value) =>
  make(
    "button",
    { type: "button", class: "chip", title: `Copy the ${label}`, on: { click: () => copy(value) } },
    icon("copy"),
    value,
  );

/** A started chat that nobody answers says how somebody could. */
function alonePart() {
  const one = chat();
  if (one?.type !== "private" || !one.is_started || state.bot.is_listening) return null;
  const address = `${window.location.origin}/bot`;
  const given = state.token ? "address and token" : "address";
  return {
    name: "alone",
    signature: `${address} ${state.token}`,
    build: () =>
      make(
        "div",
        { class: "alone", data: { testid: "nobody-listens" } },
        make("p", {}, `No bot listens yet. Start yours with this Bot API ${given}:`),
        copied("address", address),
        state.token ? copied("token", state.token) : null,
      ),
  };
}

/** Brings the end of the timeline up to date. @returns {Element} it */
export function renderTail() {
  const entries = underWay();
  patch(node, [...entries.map(underWayPart), alonePart()]);
  entries.forEach((entry, index) =>
    renderFoot(node.children[index].querySelector(".under-way-foot"), entry),
  );
  return node;
}
