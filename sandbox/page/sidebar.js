/** Who you are, and the chats that you have. */

import { becomePerson, openChat } from "./actions.js";
import { post } from "./api.js";
import { icon, make, patch } from "./dom.js";
import { avatarOf, doingIn, lastLineOf, nameOf, serviceText, timeOf } from "./names.js";
import { attempt } from "./notices.js";
import * as store from "./store.js";
import { state } from "./store.js";

const persons = document.getElementById("persons");
const chats = document.getElementById("chats");

const languageNames = new Intl.DisplayNames(["en"], { type: "language" });

function languageName(code) {
  try {
    return languageNames.of(code) ?? code;
  } catch {
    return code;
  }
}

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
          data: { personId: String(one.id) },
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
  return {
    name: "language",
    signature: `${me?.id} ${me?.language_code} ${codes}`,
    build: () => {
      const options = codes.map((code) =>
        make("option", { value: code, selected: code === me?.language_code }, languageName(code)),
      );
      const choose = (event) =>
        attempt(() => post("/sim/persons", { user_id: me.id, language_code: event.target.value }));
      const attributes = { data: { testid: "language" }, on: { change: choose } };
      return make(
        "label",
        { class: "language" },
        "Language",
        make("select", attributes, ...options),
      );
    },
  };
}

function renderPersons() {
  const row = {
    name: "row",
    signature: "",
    build: () =>
      make("div", {
        class: "person-row",
        role: "group",
        "aria-label": "Write as",
        data: { testid: "person-switch" },
      }),
  };
  patch(persons, [row, languageChoice()]);
  patch(persons.firstChild, state.persons.map(personButton));
}

function previewOf(one) {
  const threads = one.is_forum
    ? [null, ...one.topics.map((topic) => topic.message_thread_id)]
    : [null];
  const doing = threads.map((thread) => doingIn(one.id, thread)).find(Boolean);
  if (doing) return { doing: `${doing}…` };
  const last = lastLineOf(one);
  if (!last)
    return {
      text:
        one.type === "private" ? (one.is_started ? "" : "Press START to begin") : "No messages yet",
    };
  const service = serviceText(last.message) !== null;
  const author = one.type === "private" ? "" : last.message.from?.first_name;
  return {
    by: service ? "" : last.own ? "You" : author,
    text: last.text,
    time: timeOf(last.message.date),
  };
}

function chatEntry(one) {
  const preview = previewOf(one);
  const active = one.id === state.chatId;
  const count = active && !document.hidden ? 0 : store.unread(one);
  const name = nameOf(one);
  const kind = one.type === "private" ? "bot" : one.is_forum ? "topics" : "group";
  const look = JSON.stringify([preview, active, count, name, kind]);
  return {
    name: String(one.id),
    signature: look,
    build: () => entryNode(one, { preview, active, count, name, kind }),
  };
}

function entryNode(one, { preview, active, count, name, kind }) {
  const open = () => {
    // First the screen: the text field measures itself when the chat opens.
    document.getElementById("app").dataset.screen = "chat";
    openChat(one.id);
  };
  const line = preview.doing
    ? make("span", { class: "entry-line doing" }, preview.doing)
    : make(
        "span",
        { class: "entry-line", dir: "auto" },
        preview.by ? make("b", {}, `${preview.by}: `) : null,
        preview.text,
      );
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
        { class: "entry-head" },
        make("span", { class: "entry-name" }, name),
        kind === "bot"
          ? make("span", { class: "tag" }, "bot")
          : make("span", { class: "entry-kind" }, icon(kind === "topics" ? "topic" : "group")),
        make("span", { class: "entry-time" }, preview.time ?? ""),
      ),
      make(
        "span",
        { class: "entry-foot" },
        line,
        count
          ? make("span", { class: "count", "aria-label": `${count} unread` }, String(count))
          : null,
      ),
    ),
  );
}

function renderChats() {
  const mine = store.chatsOf(state.personId);
  patch(chats, mine.map(chatEntry));
  const total = mine.reduce(
    (sum, one) => sum + (one.id === state.chatId && !document.hidden ? 0 : store.unread(one)),
    0,
  );
  document.title = total ? `(${total}) Animato sandbox` : "Animato sandbox";
}

/** Begins to show persons and chats. */
export function startSidebar() {
  store.watch(["place", "directory"], renderPersons);
  store.watch(["place", "directory", "messages", "doing"], renderChats);
}
