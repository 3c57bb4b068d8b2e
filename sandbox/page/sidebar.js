/** Who you are, and your chats. */

import { becomePerson, openChat } from "./actions.js";
import { post } from "./api.js";
import { icon, make, patch } from "./dom.js";
import { avatarOf, doingIn, lastOf, nameOf, serviceText, summaryOf, timeOf } from "./names.js";
import { attempt } from "./notices.js";
import * as store from "./store.js";
import { state } from "./store.js";

const persons = document.getElementById("persons");
const chats = document.getElementById("chats");

const languageNames = new Intl.DisplayNames(["en"], { type: "language" });

function personButton(one) {
  const active = one.id === state.personId;
  return {
    name: String(one.id),
    signature: `${active} ${nameOf(one)} ${one.photo}`,
    build: () =>
      make(
        "button",
        {
          type: "button",
          class: "person",
          "aria-pressed": String(active),
          title: `Write as ${nameOf(one)}`,
          on: { click: () => becomePerson(one.id) },
        },
        avatarOf(one),
        make("span", {}, one.first_name),
      ),
  };
}

function languageChoice() {
  const me = store.person();
  const codes = [...new Set([...state.languages, me?.language_code].filter(Boolean))];
  const choose = (event) => {
    me.language_code = event.target.value; // a message sent before the answer has it, too
    return attempt(() => post("/sim/persons", { user_id: me.id, language_code: me.language_code }));
  };
  return {
    name: "language",
    signature: `${me?.id} ${me?.language_code} ${codes}`,
    build: () => {
      const options = codes.map((value) => {
        const selected = value === me?.language_code;
        return make("option", { value, selected }, languageNames.of(value));
      });
      const attributes = { data: { testid: "language" }, on: { change: choose } };
      const select = make("select", attributes, ...options);
      return make("label", { class: "language" }, "Language", select);
    },
  };
}

function renderPersons() {
  const row = {
    name: "row",
    signature: "",
    build: () => make("div", { class: "person-row", data: { testid: "person-switch" } }),
  };
  patch(persons, [row, languageChoice()]);
  patch(persons.firstChild, state.persons.map(personButton));
}

function previewOf(one) {
  const doing = store
    .threadsOf(one)
    .map((thread) => doingIn(one.id, thread))
    .find(Boolean);
  if (doing) return { doing };
  const last = lastOf(one);
  if (!last) {
    const isNew = one.type === "private" && !one.is_started;
    return { text: isNew ? "Press START to begin" : "No messages yet" };
  }
  const author = one.type === "private" ? "" : last.from.first_name;
  return {
    by: serviceText(last) ? "" : store.isOwn(last) ? "You" : author,
    text: summaryOf(last),
    time: timeOf(last.date),
  };
}

function chatEntry(one) {
  const look = {
    preview: previewOf(one),
    active: one.id === state.chatId,
    count: state.unread.get(one.id) ?? 0,
    name: nameOf(one),
  };
  return {
    name: String(one.id),
    signature: JSON.stringify(look),
    build: () => entryNode(one, look),
  };
}

function lineNode({ doing, by, text }) {
  if (doing) return make("span", { class: "entry-line doing" }, `${doing}…`);
  const author = by ? make("b", {}, `${by}: `) : null;
  return make("span", { class: "entry-line", dir: "auto" }, author, text);
}

function entryNode(one, { preview, active, count, name }) {
  const open = () => {
    // The text field measures itself when the chat opens, so it must be visible.
    document.getElementById("app").dataset.screen = "chat";
    openChat(one.id);
  };
  const kind =
    one.type === "private"
      ? make("span", { class: "tag" }, "bot")
      : make("span", { class: "entry-kind" }, icon(one.is_forum ? "topic" : "group"));
  return make(
    "button",
    {
      type: "button",
      class: "entry",
      "aria-current": active ? "true" : null,
      data: { chatId: String(one.id) },
      on: { click: open },
    },
    avatarOf(one),
    make(
      "span",
      { class: "entry-text" },
      make(
        "span",
        { class: "entry-row" },
        make("span", { class: "entry-name" }, name),
        kind,
        make("span", { class: "entry-time" }, preview.time ?? ""),
      ),
      make(
        "span",
        { class: "entry-row" },
        lineNode(preview),
        count ? make("span", { class: "count" }, String(count)) : null,
      ),
    ),
  );
}

function renderChats() {
  const mine = store.chatsOf(state.personId);
  patch(chats, mine.map(chatEntry));
  const total = mine.reduce((sum, one) => sum + (state.unread.get(one.id) ?? 0), 0);
  document.title = total ? `(${total}) Animato sandbox` : "Animato sandbox";
}

/** Shows people and chats. */
export function startSidebar() {
  store.watch(["place", "directory"], renderPersons);
  store.watch(["place", "directory", "messages", "doing"], renderChats);
}
