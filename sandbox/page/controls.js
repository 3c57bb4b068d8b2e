/** The switches of the sandbox: what no bot can do, but what happens to bots. */

import { post, remove } from "./api.js";
import { make, patch } from "./dom.js";
import { nameOf } from "./names.js";
import { ask, attempt, toast } from "./notices.js";
import * as store from "./store.js";
import { state } from "./store.js";

const SETTINGS = {
  privacy_mode: ["Privacy mode", "In groups the bot receives only what is meant for it."],
  caption_commands: ["Commands in captions", "They pass privacy mode too."],
  enforce_limits: ["Flood limits", "Answer 429 above 20 messages per minute to a group."],
  inline_feedback: ["Inline feedback", "Tell the bot which result was chosen."],
};
const STATUSES = { member: "Member", administrator: "Administrator", left: "Left" };
const FAULT_S = 5;

/** Runs a request, and says that it is done. */
async function act(work, said) {
  if ((await attempt(work)) !== null) toast(said);
}

const button = (label, run, look = "") =>
  make("button", { type: "button", class: `control ${look}`, on: { click: run } }, label);

function toggle(label, hint, checked, change) {
  const box = make("input", { type: "checkbox", role: "switch", checked });
  box.addEventListener("change", async () => {
    if ((await attempt(() => change(box.checked))) === null) box.checked = !box.checked;
  });
  const words = make("span", {}, make("b", {}, label), make("small", {}, hint));
  return make("label", { class: "switch" }, words, box);
}

function group(title, signature, build) {
  return {
    name: title,
    signature: JSON.stringify(signature),
    build: () => make("section", { class: "controls-group" }, make("h4", {}, title), ...build()),
  };
}

const row = (...buttons) => make("div", { class: "control-row" }, ...buttons);

const settingsGroup = () =>
  group("Server", state.settings, () =>
    Object.entries(SETTINGS).map(([key, [label, hint]]) =>
      toggle(label, hint, state.settings[key], (on) => post("/sim/settings", { [key]: on })),
    ),
  );

function personGroup(me) {
  const input = make("input", { type: "file", accept: "image/*", class: "unseen-input" });
  input.addEventListener("change", () => {
    const form = new FormData();
    form.append("user_id", me.id);
    form.append("photo", input.files[0]);
    act(() => post("/sim/persons", form), "The profile picture is set");
  });
  const block = (on) => post(on ? "/sim/block" : "/sim/unblock", { user_id: me.id });
  return group(nameOf(me), [me.id, me.blocks_bot], () => [
    toggle("Blocks the bot", "Its messages fail with 403.", me.blocks_bot, block),
    row(
      button("Profile picture…", () => input.click()),
      input,
    ),
  ]);
}

function chatGroup() {
  const one = store.chat();
  if (!one || one.type === "private") return null;
  return group(nameOf(one), [one.id, one.bot_status, one.type], () => {
    const options = Object.entries(STATUSES).map(([value, label]) =>
      make("option", { value, selected: value === one.bot_status }, label),
    );
    const select = make("select", { "aria-label": "The bot in this group" }, ...options);
    select.addEventListener("change", () =>
      attempt(() => post("/sim/members", { chat_id: one.id, status: select.value })),
    );
    const upgrade = () =>
      act(() => post("/sim/upgrade", { chat_id: one.id }), "The group is a supergroup now");
    return [
      make("label", { class: "switch" }, make("span", {}, make("b", {}, "The bot here")), select),
      one.type === "group" ? row(button("Upgrade to a supergroup", upgrade)) : null,
    ];
  });
}

function orderFault(fault, said) {
  act(() => post("/sim/fault", { method: "*", times: 1, ...fault }), said);
}

function faultGroup() {
  const limit = () => {
    const order = { chat_id: state.chatId, times: 1000, seconds: FAULT_S };
    orderFault(
      { ...order, code: 429, retry_after: FAULT_S },
      `This chat answers 429 for ${FAULT_S} s`,
    );
  };
  return group("Faults", [], () => [
    row(
      button(`429 here for ${FAULT_S} s`, limit),
      button("Next call 502", () => orderFault({ code: 502 }, "The next call fails with 502")),
      button("Next call is lost", () =>
        orderFault({ drop: true }, "The next call loses its connection"),
      ),
      button("Clear", () => act(() => remove("/sim/fault"), "There are no faults now")),
    ),
  ]);
}

async function reset() {
  const text = "All chats and files of this sandbox are deleted.";
  const sure = await ask({ title: "Reset the sandbox?", text, yes: "Reset" });
  if (sure !== null) act(() => post("/sim/reset"), "The sandbox is reset");
}

/** Builds the page of the panel with all switches. */
export function controls() {
  const node = make("div", { class: "controls" });
  const render = () =>
    patch(node, [
      settingsGroup(),
      personGroup(store.person()),
      chatGroup(),
      faultGroup(),
      group("All", [], () => [row(button("Reset the sandbox…", reset, "danger"))]),
    ]);
  store.watch(["place", "directory"], render);
  render();
  return node;
}
