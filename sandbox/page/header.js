/** The line above the messages: the chat, what the bot is doing, the topics of a forum. */

import { newTopic, openChat } from "./actions.js";
import { openControls } from "./controls.js";
import { icon, iconButton, make, patch } from "./dom.js";
import { avatarOf, doingIn, nameOf } from "./names.js";
import * as store from "./store.js";
import { state } from "./store.js";

const head = document.getElementById("chat-head");
const topics = document.getElementById("topics");

const ROLES = { administrator: "the bot is an administrator", member: "the bot is a member" };

function statusOf(one) {
  if (!one) return "";
  if (one.type === "private") return `@${state.bot.username}`;
  const present = (status) => !["left", "kicked"].includes(status);
  const count = Object.values(one.members).filter(present).length;
  const role = ROLES[one.bot_status] ?? "the bot is not a member";
  return `${count} ${count === 1 ? "person" : "people"}, ${role}`;
}

function renderHead() {
  const one = store.chat();
  const name = one ? nameOf(one) : "";
  const doing = one ? doingIn(one.id, state.threadId) : null;
  const line = doing ?? statusOf(one);
  patch(head, [
    { name: "back", signature: "", build: backButton },
    { name: "avatar", signature: `${one?.id} ${name}`, build: () => avatarOf(one) },
    {
      name: "words",
      signature: JSON.stringify([name, line, doing]),
      build: () => {
        const attributes = { class: doing ? "status doing" : "status" };
        const status = make("p", { ...attributes, data: { testid: "status-line" } }, line + (doing ? "…" : ""));
        return make("div", { class: "head-words" }, make("h2", {}, name), status);
      },
    },
    { name: "controls", signature: "", build: controlsButton },
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

function controlsButton() {
  const node = make(
    "button",
    { type: "button", class: "controls", title: "Sandbox", data: { testid: "controls" } },
    icon("braces"),
    make("span", {}, "Sandbox"),
  );
  node.addEventListener("click", () => openControls(node));
  return node;
}

function topicTab(one, { name, message_thread_id: threadId = null }) {
  const active = threadId === state.threadId;
  const build = () =>
    make(
      "button",
      {
        type: "button",
        role: "tab",
        "aria-selected": String(active),
        on: { click: () => openChat(one.id, threadId) },
      },
      make("span", {}, name),
    );
  return { name: `topic ${threadId}`, signature: `${active} ${name}`, build };
}

function renderTopics() {
  const one = store.chat();
  topics.hidden = !one?.is_forum;
  if (topics.hidden) return;
  const add = () => newTopic(state.chatId);
  patch(topics, [
    ...[{ name: "General" }, ...one.topics].map((topic) => topicTab(one, topic)),
    {
      name: "new",
      signature: "",
      build: () => iconButton("plus", "New topic", { class: "new-topic", on: { click: add } }),
    },
  ]);
}

/** Shows the line above the messages. */
export function startHeader() {
  store.watch(["place", "directory", "doing"], renderHead);
  store.watch(["place", "directory"], renderTopics);
}
