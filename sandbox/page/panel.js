/** The side panel: the Bot API calls as they happen, and the switches of the sandbox. */

import { get } from "./api.js";
import { controls } from "./controls.js";
import { icon, iconButton, make } from "./dom.js";
import { sizeOf } from "./names.js";
import { onSignal } from "./store.js";

const MOST = 400;

const panel = document.getElementById("panel");
const filter = make("input", {
  type: "search",
  placeholder: "Filter: method, chat, text, status",
  "aria-label": "Filter the calls",
});
const list = make("div", { class: "calls", role: "log", data: { testid: "calls" } });

/** The calls by id, with their nodes and the texts that the filter searches. */
let entries = new Map();
/** Counts the servers: late answers of an earlier one are dropped. */
let server = 0;

const level = (status) => (status < 400 ? "good" : status < 500 ? "refused" : "failed");

function block(title, value) {
  const text = JSON.stringify(value, null, 2);
  return [make("h4", {}, title), make("pre", { class: "json", tabindex: "0" }, text)];
}

function detailOf(call) {
  const when = new Date(call.at * 1000).toLocaleTimeString();
  const description = call.response.description ? `: ${call.response.description}` : "";
  const files = call.files.map((one) => `${one.name}: ${one.file_name}, ${sizeOf(one.size)}`);
  return [
    make("p", { class: "call-when" }, `Call ${call.id} at ${when}${description}`),
    ...files.map((line) => make("p", { class: "call-when" }, line)),
    ...block("Parameters", call.parameters),
    ...block("Response", call.response),
  ];
}

function callNode(call) {
  const detail = make("div", { class: "call-detail" });
  const node = make(
    "details",
    { class: `call ${level(call.status)}` },
    make(
      "summary",
      {},
      make("span", { class: "call-status" }, String(call.status)),
      make("span", { class: "call-method" }, call.method),
      call.files.length ? make("span", { class: "call-mark" }, icon("attach")) : null,
      make("span", { class: "call-chat" }, String(call.parameters.chat_id ?? "")),
      make("span", { class: "call-time" }, `${call.duration_ms} ms`),
    ),
    detail,
  );
  // The detail is built on demand: most calls are never opened.
  node.addEventListener("toggle", () => {
    if (node.open && !detail.hasChildNodes()) detail.append(...detailOf(call));
  });
  return node;
}

function matches(entry) {
  const words = filter.value.toLowerCase().split(/\s+/u);
  return words.every((word) => entry.text.includes(word));
}

/** Lists calls in the order of their ids. */
function add(calls) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  for (const call of calls) {
    if (entries.has(call.id)) continue;
    const said = `${call.status} ${call.method} ${JSON.stringify(call.parameters)}`;
    const entry = { node: callNode(call), text: said.toLowerCase() };
    entry.node.hidden = !matches(entry);
    const later = [...entries.keys()].find((id) => id > call.id);
    list.insertBefore(entry.node, entries.get(later)?.node ?? null);
    entries.set(call.id, entry);
    if (later) entries = new Map([...entries].sort(([left], [right]) => left - right));
  }
  for (const [id, { node }] of [...entries].slice(0, -MOST)) {
    node.remove();
    entries.delete(id);
  }
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

function clear() {
  entries.clear();
  list.replaceChildren();
}

async function fetchCalls() {
  if (panel.hidden) return;
  const asked = server;
  const found = await get("/sim/calls").catch(() => ({ calls: [] }));
  if (asked === server) add(found.calls.slice(-MOST));
}

function build() {
  const clearButton = iconButton("trash", "Clear the list", { on: { click: clear } });
  const head = make("div", { class: "calls-head" }, icon("search"), filter, clearButton);
  const pages = {
    calls: make("div", { class: "panel-page" }, head, list),
    controls: make("div", { class: "panel-page" }, controls()),
  };
  const labels = { calls: "Raw calls", controls: "Sandbox" };
  const select = (chosen) => {
    for (const id of Object.keys(pages)) {
      pages[id].hidden = id !== chosen;
      tabs[id].setAttribute("aria-selected", String(id === chosen));
    }
  };
  const tab = (id) => {
    const attributes = { type: "button", role: "tab", data: { testid: `tab-${id}` } };
    return [id, make("button", { ...attributes, on: { click: () => select(id) } }, labels[id])];
  };
  const tabs = Object.fromEntries(Object.keys(pages).map(tab));
  const close = iconButton("close", "Close the panel", { on: { click: toggle } });
  const tabList = make("div", { role: "tablist" }, ...Object.values(tabs));
  panel.append(make("div", { class: "panel-tabs" }, tabList, close), ...Object.values(pages));
  select("calls");
  filter.addEventListener("input", () => {
    for (const entry of entries.values()) entry.node.hidden = !matches(entry);
  });
}

function toggle() {
  panel.hidden = !panel.hidden;
  if (!panel.hasChildNodes()) build();
  const button = document.querySelector("[data-testid='panel-toggle']");
  button.setAttribute("aria-expanded", String(!panel.hidden));
  fetchCalls();
}

/** Lets the panel be opened. */
export function startPanel() {
  onSignal("panel", toggle);
  onSignal("call", (call) => !panel.hidden && add([call]));
  onSignal("fetched", fetchCalls);
  onSignal("another-server", () => {
    server += 1;
    clear();
  });
}
