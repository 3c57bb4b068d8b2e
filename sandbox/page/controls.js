/** The switches of the sandbox: what no bot can do, but what happens to bots. */

import { becomePerson, newTopic, openChat } from "./actions.js";
import { get, post, remove, upload } from "./api.js";
import { icon, make, patch } from "./dom.js";
import { nameOf } from "./names.js";
import { ask, attempt, toast } from "./notices.js";
import * as store from "./store.js";
import { state } from "./store.js";

const SETTINGS = {
  privacy_mode: ["Privacy mode", "In groups the bot sees only what is meant for it."],
  caption_commands: ["Commands in captions", "Deliver them in groups too."],
  enforce_limits: ["Enforce limits", "Answer 429 above 20 messages a minute in a group."],
  inline_feedback: ["Inline feedback", "Tell the bot which result was chosen."],
  silent_video_is_animation: [
    "Silent video is a GIF",
    "As the real server does with mp4 without sound.",
  ],
};

const FAULT_S = 5;

/** Does something, says that it is done. */
const act = async (work, said) => {
  const done = await attempt(work);
  if (done !== null && said) toast(said);
  return done;
};

function button(label, run, attributes = {}) {
  return make(
    "button",
    { type: "button", class: "control", ...attributes, on: { click: run } },
    label,
  );
}

function toggle(label, hint, checked, change) {
  const box = make("input", { type: "checkbox", role: "switch", checked });
  box.addEventListener("change", async () => {
    if ((await change(box.checked)) === null) box.checked = !box.checked;
  });
  return make(
    "label",
    { class: "switch" },
    make("span", {}, make("b", {}, label), hint ? make("small", {}, hint) : null),
    box,
  );
}

function group(name, title, signature, build) {
  return {
    name,
    signature: JSON.stringify(signature),
    build: () => make("section", { class: "controls-group" }, make("h3", {}, title), ...build()),
  };
}

function settingsGroup() {
  return group("settings", "Server", state.settings, () => {
    const known = Object.keys(SETTINGS).filter((key) => key in state.settings);
    const switches = known.map((key) => {
      const [label, hint] = SETTINGS[key];
      return toggle(label, hint, state.settings[key], (value) =>
        attempt(() => post("/sim/settings", { [key]: value })),
      );
    });
    const lifetime = make("input", {
      type: "number",
      min: "1",
      value: String(state.settings.callback_lifetime_s ?? 60),
      "aria-label": "Taps may be answered for, in seconds",
    });
    lifetime.addEventListener("change", () =>
      attempt(() => post("/sim/settings", { callback_lifetime_s: Number(lifetime.value) })),
    );
    const words = make(
      "span",
      {},
      make("b", {}, "Lifetime of a tap"),
      make("small", {}, "Seconds in which the bot can answer it."),
    );
    return [...switches, make("label", { class: "switch" }, words, lifetime)];
  });
}

function personGroup() {
  const me = store.person();
  return group(
    "person",
    me ? nameOf(me) : "Person",
    [me?.id, me?.blocks_bot, me?.photo, nameOf(me)],
    () => [
      toggle(
        "Blocks the bot",
        "Its messages to this person fail with 403.",
        Boolean(me?.blocks_bot),
        (blocks) => attempt(() => post(blocks ? "/sim/block" : "/sim/unblock", { user_id: me.id })),
      ),
      make("div", { class: "control-row" }, pictureButton(me), button("New person…", newPerson)),
    ],
  );
}

function pictureButton(me) {
  const input = make("input", {
    type: "file",
    accept: "image/*",
    class: "unseen-input",
    tabindex: "-1",
    "aria-label": "Profile picture",
  });
  input.addEventListener("change", () => {
    const form = new FormData();
    form.append("user_id", me.id);
    form.append("photo", input.files[0]);
    act(() => upload("/sim/persons", form), "The profile picture is set");
  });
  return make(
    "span",
    {},
    button("Profile picture…", () => input.click()),
    input,
  );
}

async function newPerson() {
  const name = await ask({ title: "New person", label: "First name", yes: "Make" });
  if (!name) return;
  const made = await attempt(() => post("/sim/persons", { first_name: name, language_code: "en" }));
  if (made)
    whenKnown(
      () => state.persons.some((one) => one.id === made.person.id),
      () => becomePerson(made.person.id),
    );
}

/** Waits until the server's news of a new chat or person has arrived. */
function whenKnown(isKnown, run, tries = 40) {
  if (isKnown()) run();
  else if (tries > 0) setTimeout(() => whenKnown(isKnown, run, tries - 1), 50);
}

const STATUSES = { member: "Member", administrator: "Administrator", left: "Left" };

function chatGroup() {
  const one = store.chat();
  if (!one || one.type === "private") return null;
  const look = [one.id, one.bot_status, one.type, one.is_forum, one.title];
  return group("chat", nameOf(one), look, () => {
    const select = make(
      "select",
      { "aria-label": "The bot in this group", data: { testid: "bot-status" } },
      ...Object.entries(STATUSES).map(([value, label]) =>
        make("option", { value, selected: value === one.bot_status }, label),
      ),
    );
    select.addEventListener("change", () =>
      act(() => post("/sim/members", { chat_id: one.id, status: select.value })),
    );
    const upgrade = async () => {
      const done = await act(
        () => post("/sim/upgrade", { chat_id: one.id }),
        "The group is a supergroup now",
      );
      if (done)
        whenKnown(
          () => state.chats.some((each) => each.id === done.chat_id),
          () => openChat(done.chat_id),
        );
    };
    return [
      make("label", { class: "switch" }, make("span", {}, make("b", {}, "The bot here")), select),
      make(
        "div",
        { class: "control-row" },
        one.type === "group" ? button("Upgrade to a supergroup", upgrade) : null,
        one.is_forum ? button("New topic…", () => newTopic(one.id)) : null,
      ),
    ];
  });
}

async function newGroup(kind) {
  const title = await ask({ title: kind.title, label: "Title", yes: "Make" });
  if (!title) return;
  const body = { title, type: kind.type, is_forum: kind.isForum, bot_status: "member" };
  const made = await attempt(() => post("/sim/groups", body));
  if (!made) return;
  whenKnown(
    () => store.chatsOf(state.personId).some((one) => one.id === made.chat.id),
    () => openChat(made.chat.id),
  );
}

const GROUPS = [
  { label: "New group…", title: "New group", type: "group", isForum: false },
  {
    label: "New group with topics…",
    title: "New group with topics",
    type: "supergroup",
    isForum: true,
  },
];

function newGroups() {
  return group("groups", "Groups", [], () => [
    make(
      "div",
      { class: "control-row" },
      ...GROUPS.map((kind) => button(kind.label, () => newGroup(kind))),
    ),
  ]);
}

/** Telegram's limit holds for a time, after which the server lifts it by itself. */
function limitChat() {
  const order = { method: "*", chat_id: state.chatId, times: 1000, seconds: FAULT_S };
  const error = { code: 429, retry_after: FAULT_S };
  act(() => post("/sim/fault", { ...order, ...error }), `429 on this chat for ${FAULT_S} s`);
}

function faultGroup() {
  return group("faults", "Faults", [], () => [
    make(
      "div",
      { class: "control-row" },
      button(`429 here for ${FAULT_S} s`, limitChat),
      button("Next call 502", () =>
        act(
          () =>
            post("/sim/fault", { method: "*", code: 502, description: "Bad Gateway", times: 1 }),
          "The next call fails with 502",
        ),
      ),
      button("Next call is lost", () =>
        act(
          () => post("/sim/fault", { method: "*", drop: true, times: 1 }),
          "The next call loses its connection",
        ),
      ),
      button("Clear", async () => {
        await act(() => remove("/sim/fault"));
        const left = await get("/sim/fault").catch(() => null);
        toast(
          left?.faults?.length ? `${left.faults.length} faults are left` : "No faults are left",
        );
      }),
    ),
  ]);
}

async function reset() {
  const sure = await ask({
    title: "Start over?",
    text: "All chats and files of this sandbox are forgotten.",
    yes: "Reset",
    danger: true,
  });
  if (sure !== null) act(() => post("/sim/reset"), "Everything is as at the start");
}

function endGroup() {
  return group("end", "All", [], () => [
    make(
      "div",
      { class: "control-row" },
      make(
        "button",
        {
          type: "button",
          class: "control danger",
          data: { testid: "reset" },
          on: { click: reset },
        },
        icon("reset"),
        "Reset the sandbox…",
      ),
    ),
    make(
      "p",
      { class: "promise" },
      "Everything stays on this machine, in memory, and is gone when the sandbox stops.",
    ),
  ]);
}

/** The page of the panel with all switches; it follows what the server says. */
export function controls() {
  const node = make("div", { class: "controls" });
  const render = () =>
    patch(node, [
      settingsGroup(),
      personGroup(),
      chatGroup(),
      newGroups(),
      faultGroup(),
      endGroup(),
    ]);
  store.watch(["place", "directory"], render);
  render();
  return node;
}
