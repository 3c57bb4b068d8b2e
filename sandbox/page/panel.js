/** The side panel: the Bot API calls as they happen, and the switches of the sandbox. */

import { get } from "./api.js";
import { controls } from "./controls.js";
import { iconButton, make, patch } from "./dom.js";
import { sizeOf } from "./names.js";
import { onSignal } from "./store.js";

const MOST = 400;

const panel = document.getElementById("panel");
const list = make("div", { class: "calls", role: "log", data: { testid: "calls" } });

/** The calls by id. */
let calls = new Map();
/** Counts the servers: late answers of an earlier one are dropped. */
let server = 0;

const level = (status) => (status < 400 ? "good" : status < 500 ? "refused" : "failed");

function detailOf(call) {
  const block = (title, value) => [
    make("h4", {}, title),
    make("pre", { class: "json", tabindex: "0" }, JSON.stringify(value, null, 2)),
  ];
  const files = call.files.map((one) => `${one.name}: ${one.file_name}, ${sizeOf(one.size)}`);
  return [
    ...block(`Call ${call.id}: parameters`, call.parameters),
    ...files.map((line) => make("p", {}, line)),
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

/** Lists calls in the order of their ids. */
function add(fresh) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  for (const call of fresh) calls.set(call.id, call);
  calls = new Map([...calls].sort(([left], [right]) => left - right).slice(-MOST));
  patch(
    list,
    [...calls].map(([id, call]) => ({ name: id, signature: "", build: () => callNode(call) })),
  );
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

async function fetchCalls() {
  if (panel.hidden) return;
  const asked = server;
  const found = await get("/sim/calls").catch(() => ({ calls: [] }));
  if (asked === server) add(found.calls);
}

function forget() {
  server += 1;
  calls = new Map();
  patch(list, []);
}

function build() {
  const pages = {
    calls: make("div", { class: "panel-page" }, list),
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
  onSignal("another-server", forget);
}
