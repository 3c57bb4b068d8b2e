/** The menu of the sandbox: what no bot can do, but what happens to bots. */

import { post, remove } from "./api.js";
import { make } from "./dom.js";
import { ask, attempt, openMenu, toast } from "./notices.js";
import { chat, person, state } from "./store.js";

const SETTINGS = {
  privacy_mode: "Privacy mode",
  caption_commands: "Commands in captions",
  enforce_limits: "Flood limits",
  inline_feedback: "Inline feedback",
};
const FAULT_S = 5;

/** Returns a menu item that sends a request and says that it is done. */
const item = (icon, label, said, address, body) => ({
  icon,
  label,
  run: async () => {
    if ((await attempt(() => post(address, body))) !== null) toast(said);
  },
});

function settingItems() {
  return Object.entries(SETTINGS).map(([name, label]) => {
    const on = state.settings[name];
    const [is, will] = on ? ["on", "off"] : ["off", "on"];
    const said = `${label} is ${will} now`;
    return item("swap", `${label}: ${is}`, said, "/sim/settings", { [name]: !on });
  });
}

function personItems(me) {
  const block = me.blocks_bot
    ? ["Unblock the bot", "The bot is unblocked", "/sim/unblock"]
    : ["Block the bot", "The bot is blocked", "/sim/block"];
  const choosePicture = () => {
    const input = make("input", { type: "file", accept: "image/*" });
    input.addEventListener("change", () => {
      const form = new FormData();
      form.append("user_id", me.id);
      form.append("photo", input.files[0]);
      attempt(() => post("/sim/persons", form));
    });
    input.click();
  };
  return [
    { icon: "photo", label: "Profile picture…", run: choosePicture },
    item("hidden", ...block, { user_id: me.id }),
  ];
}

function groupItems(one) {
  if (one.type === "private") return [];
  if (["left", "kicked"].includes(one.bot_status)) {
    const back = { chat_id: one.id, status: "member" };
    return [item("plus", "Add the bot", "The bot is a member now", "/sim/members", back)];
  }
  const isAdmin = one.bot_status === "administrator";
  const member = { chat_id: one.id, status: isAdmin ? "member" : "administrator" };
  const label = isAdmin ? "Make the bot a member" : "Make the bot an administrator";
  const left = { chat_id: one.id, status: "left" };
  const items = [
    item("group", label, "The bot's status has changed", "/sim/members", member),
    item("back", "Remove the bot", "The bot has left the group", "/sim/members", left),
  ];
  if (one.type === "group") {
    const upgraded = "The group is a supergroup now";
    items.push(item("group", "Upgrade the group", upgraded, "/sim/upgrade", { chat_id: one.id }));
  }
  return items;
}

function faultItems() {
  const limit = { method: "*", chat_id: state.chatId, times: 1000, seconds: FAULT_S };
  const said = `This chat answers 429 for ${FAULT_S} s`;
  const error = { code: 429, retry_after: FAULT_S };
  const lost = "The next call gets no answer";
  return [
    item("close", `429 here for ${FAULT_S} s`, said, "/sim/fault", { ...limit, ...error }),
    item("close", "Lose the next answer", lost, "/sim/fault", { method: "*", drop: true }),
    { icon: "trash", label: "Remove all faults", run: () => attempt(() => remove("/sim/fault")) },
  ];
}

async function reset() {
  const text = "All chats and files of this sandbox are deleted.";
  const sure = await ask({ title: "Reset the sandbox?", text, yes: "Reset" });
  if (sure !== null) attempt(() => post("/sim/reset"));
}

/** Opens the menu at a button. */
export function openControls(anchor) {
  const calls = { icon: "braces", label: "Calls of the bot (JSON)", run: () => open("/sim/calls") };
  const items = [
    calls,
    ...settingItems(),
    ...personItems(person()),
    ...groupItems(chat()),
    ...faultItems(),
    { icon: "trash", label: "Reset the sandbox…", run: reset },
  ];
  openMenu(items, anchor);
}
