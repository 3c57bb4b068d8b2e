/** The side panel: the Bot API calls as they happen, and the switches of the sandbox. */

import { get } from "./api.js";
import { icon, iconButton, make } from "./dom.js";
import { controls } from "./controls.js";
import { sizeOf } from "./names.js";
import { coloured, copy } from "./notices.js";
import { onSignal } from "./store.js";

const MOST = 400;

const panel = document.getElementById("panel");
const filter = make("input", {
  type: "search",
  placeholder: "Filter: method, chat, text, status",
  "aria-label": "Filter the calls",
  data: { testid: "calls-filter" },
});
const list = make("div", {
  class: "calls",
  role: "log",
  "aria-label": "Bot API calls",
  "aria-live": "off",
  data: { testid: "calls" },
});

/** Calls that arrived since the last frame. */
let arrived = [];

/** Each call with its id, its node and the text that the filter looks through, oldest first. */
let entries = [];
/** Up to this call nothing is missing; up to that one nothing is wanted. */
let complete = 0;
let cleared = 0;
/** Counts the servers: what an earlier one says too late is not listed. */
let server = 0;
let built = false;

const level = (status) => (status < 400 ? "good" : status < 500 ? "refused" : "failed");

function block(title, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return make(
    "section",
    {},
    make(
      "div",
      { class: "block-head" },
      make("h4", {}, title),
      iconButton("copy", `Copy ${title.toLowerCase()}`, { on: { click: () => copy(text) } }),
    ),
    make("pre", { class: "json", tabindex: "0" }, ...coloured(text)),
  );
}

function filesBlock(files) {
  const items = files.map((one) =>
    make(
      "li",
      {},
      make("b", {}, one.name),
      ` ${one.file_name ?? ""} `,
      make("span", {}, sizeOf(one.size)),
    ),
  );
  return make(
    "section",
    {},
    make("div", { class: "block-head" }, make("h4", {}, "Files")),
    make("ul", { class: "call-files" }, ...items),
  );
}

function callNode(call) {
  const chatId = call.parameters?.chat_id;
  const detail = make("div", { class: "call-detail" });
  const node = make(
    "details",
    { class: `call ${level(call.status)}`, data: { callId: String(call.id), method: call.method } },
    make(
      "summary",
      {},
      make("span", { class: "call-status" }, String(call.status)),
      make("span", { class: "call-method" }, call.method),
      call.files?.length
        ? make("span", { class: "call-mark", title: "With files" }, icon("attach"))
        : null,
      make("span", { class: "call-chat" }, chatId === undefined ? "" : String(chatId)),
      make("span", { class: "call-time" }, `${Math.round(call.duration_ms)} ms`),
    ),
    detail,
  );
  // The detail is built when it is asked for: most calls are never opened.
  node.addEventListener("toggle", () => {
    if (!node.open || detail.hasChildNodes()) return;
    const when = new Date(call.at * 1000).toLocaleTimeString();
    detail.append(
      make(
        "p",
        { class: "call-when" },
        [`Call ${call.id} at ${when}`, call.response?.description].filter(Boolean).join(": "),
      ),
      block("Parameters", call.parameters ?? {}),
      ...(call.files?.length ? [filesBlock(call.files)] : []),
      block("Response", call.response ?? null),
    );
  });
  return node;
}

function matches(entry) {
  const words = filter.value.toLowerCase().split(/\s+/u).filter(Boolean);
  return words.every((word) => entry.words.includes(word));
}

const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 40;

/** Lists calls by their ids, in whatever order they came. */
function add(calls) {
  const follow = isAtEnd();
  const known = new Set(entries.map((entry) => entry.id));
  const fresh = calls.filter((call) => call.id > cleared && !known.has(call.id)).slice(-MOST);
  if (fresh.length === 0) return;
  list.querySelector(":scope > .none")?.remove();
  fresh.map(entryOf).forEach(insert);
  while (entries.length > MOST) entries.shift().node.remove();
  if (follow) list.scrollTop = list.scrollHeight;
}

function entryOf(call) {
  const said = `${call.status} ${call.method} ${JSON.stringify(call.parameters ?? {})}`;
  const entry = { id: call.id, node: callNode(call), words: said.toLowerCase() };
  entry.node.hidden = !matches(entry);
  return entry;
}

/** Most come last. */
function insert(entry) {
  const before = entries.findLastIndex((one) => one.id < entry.id);
  list.insertBefore(entry.node, entries[before + 1]?.node ?? null);
  entries.splice(before + 1, 0, entry);
}

/** A burst of calls is one change of the list. */
function gather(call) {
  if (!built) return;
  arrived.push(call);
  if (arrived.length > 1) return;
  setTimeout(() => {
    const calls = arrived;
    arrived = [];
    add(calls);
  }, 30);
}

/** Begins with an empty list, as the server did. */
function begin() {
  server += 1;
  entries = [];
  arrived = [];
  complete = 0;
  cleared = 0;
  const base = `${window.location.origin}/bot`;
  list.replaceChildren(
    make(
      "div",
      { class: "none" },
      make("p", {}, "No calls yet. Let your bot use this address:"),
      make(
        "button",
        { type: "button", class: "chip", on: { click: () => copy(base) } },
        icon("copy"),
        base,
      ),
    ),
  );
}

async function refetch() {
  if (!built) return;
  const asked = server;
  const found = await get(`/sim/calls?since=${complete}`).catch(() => ({ calls: [] }));
  if (asked !== server) return;
  complete = Math.max(complete, found.calls.at(-1)?.id ?? 0);
  add(found.calls);
}

function clear() {
  cleared = Math.max(complete, entries.at(-1)?.id ?? 0);
  entries.forEach((entry) => entry.node.remove());
  entries = [];
}

function tab(id, label, page, select) {
  return make(
    "button",
    {
      type: "button",
      role: "tab",
      id: `tab-${id}`,
      "aria-controls": page.id,
      data: { testid: `tab-${id}` },
      on: { click: () => select(id) },
    },
    label,
  );
}

function build() {
  built = true;
  const callsPage = make("div", {
    id: "page-calls",
    class: "panel-page",
    role: "tabpanel",
    "aria-labelledby": "tab-calls",
  });
  const clearButton = iconButton("trash", "Clear the list", { on: { click: clear } });
  callsPage.append(make("div", { class: "calls-head" }, icon("search"), filter, clearButton), list);
  const controlsPage = make("div", {
    id: "page-controls",
    class: "panel-page",
    role: "tabpanel",
    "aria-labelledby": "tab-controls",
  });
  controlsPage.append(controls());
  const pages = { calls: callsPage, controls: controlsPage };
  const select = (chosen) => {
    for (const [id, page] of Object.entries(pages)) {
      page.hidden = id !== chosen;
      tabs.querySelector(`#tab-${id}`).setAttribute("aria-selected", String(id === chosen));
    }
  };
  const tabs = make("div", { role: "tablist", "aria-label": "Behind the chat" });
  tabs.append(
    tab("calls", "Raw calls", callsPage, select),
    tab("controls", "Sandbox", controlsPage, select),
  );
  const close = iconButton("close", "Close the panel", {
    class: "panel-close",
    on: { click: toggle },
  });
  panel.append(make("div", { class: "panel-tabs" }, tabs, close), callsPage, controlsPage);
  select("calls");
  filter.addEventListener("input", () =>
    entries.forEach((entry) => (entry.node.hidden = !matches(entry))),
  );
  begin();
}

function toggle() {
  const opens = panel.hidden;
  if (opens && !built) build();
  panel.hidden = !opens;
  const button = document.querySelector("[data-testid='panel-toggle']");
  button?.setAttribute("aria-expanded", String(opens));
  if (opens) refetch().then(() => (list.scrollTop = list.scrollHeight));
  else button?.focus();
}

/** Lets the panel be opened; it is built then. */
export function startPanel() {
  onSignal("panel", toggle);
  onSignal("call", gather);
  onSignal("fetched", refetch);
  onSignal("another-server", () => built && begin());
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target !== filter) toggle();
  });
}
