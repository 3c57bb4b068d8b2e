/** The line above the messages: where you are, what the bot is doing, the topics of a forum. */

import { newTopic, openChat } from "./actions.js";
import { icon, iconButton, make, patch } from "./dom.js";
import { avatarOf, doingIn, nameOf } from "./names.js";
import * as store from "./store.js";
import { state } from "./store.js";

const head = document.getElementById("chat-head");
const topics = document.getElementById("topics");

function placeLine(one) {
  if (one.type === "private") return `@${state.bot.username}`;
  const count = Object.values(one.members ?? {}).filter(
    (status) => !["left", "kicked"].includes(status),
  ).length;
  const people = `${count} ${count === 1 ? "person" : "people"}`;
  const roles = { administrator: "the bot is an administrator", member: "the bot is a member" };
  return `${people}, ${roles[one.bot_status] ?? "the bot is not here"}`;
}

function renderHead() {
  const one = store.chat();
  const doing = one ? doingIn(one.id, state.threadId) : null;
  const line = one ? placeLine(one) : "";
  patch(head, [
    { name: "back", signature: "", build: backButton },
    {
      name: "avatar",
      signature: `${one?.id} ${one && nameOf(one)}`,
      build: () => avatarOf(one),
    },
    {
      name: "words",
      signature: JSON.stringify([one && nameOf(one), line, doing]),
      build: () =>
        make(
          "div",
          { class: "head-words" },
          make("h2", {}, one ? nameOf(one) : ""),
          make(
            "p",
            {
              class: doing ? "status doing" : "status",
              "aria-live": "off",
              data: { testid: "status-line" },
            },
            doing ?? line,
            doing
              ? make(
                  "span",
                  { class: "dots", "aria-hidden": "true" },
                  make("i"),
                  make("i"),
                  make("i"),
                )
              : null,
          ),
        ),
    },
    { name: "panel", signature: "", build: panelButton },
  ]);
}

function backButton() {
  const back = () => (document.getElementById("app").dataset.screen = "chats");
  return iconButton("back", "Back to the chats", {
    class: "back",
    data: { testid: "back" },
    on: { click: back },
  });
}

function panelButton() {
  return make(
    "button",
    {
      type: "button",
      class: "panel-toggle",
      "aria-expanded": "false",
      "aria-controls": "panel",
      title: "The Bot API calls behind this chat",
      data: { testid: "panel-toggle" },
      on: { click: () => store.signal("panel", null) },
    },
    icon("braces"),
    make("span", {}, "Raw calls"),
  );
}

function topicTab(one, topic) {
  const active = (topic.message_thread_id ?? null) === state.threadId;
  const count = active ? 0 : store.unread(one, topic.message_thread_id ?? null);
  return {
    name: `topic ${topic.message_thread_id}`,
    signature: `${active} ${count} ${topic.name}`,
    build: () =>
      make(
        "button",
        {
          type: "button",
          role: "tab",
          "aria-selected": String(active),
          data: { threadId: String(topic.message_thread_id ?? 0) },
          on: { click: () => openChat(one.id, topic.message_thread_id ?? null) },
        },
        make("span", {}, topic.name),
        count ? make("span", { class: "count" }, String(count)) : null,
      ),
  };
}

function renderTopics() {
  const one = store.chat();
  topics.hidden = !one?.is_forum;
  if (topics.hidden) return;
  const all = [{ name: "General" }, ...(one.topics ?? [])];
  const add = () => newTopic(state.chatId);
  patch(topics, [
    {
      name: "tabs",
      signature: "",
      build: () => make("div", { role: "tablist", "aria-label": "Topics" }),
    },
    {
      name: "new",
      signature: "",
      build: () => iconButton("plus", "New topic", { class: "new-topic", on: { click: add } }),
    },
  ]);
  patch(
    topics.firstChild,
    all.map((topic) => topicTab(one, topic)),
  );
}

/** Begins to show the line above the messages. */
export function startHeader() {
  store.watch(["place", "directory", "doing"], renderHead);
  store.watch(["place", "directory", "messages"], renderTopics);
}
