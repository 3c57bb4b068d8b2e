/** Where a person writes: text, files and replies; or the START button of a new chat. */

import { fetchCommands, here, keepSent, sendText, start } from "./actions.js";
import { post } from "./api.js";
import {
  addFiles,
  attachButton,
  attachmentStrip,
  forgetPreviews,
  groupsOf,
  hasFiles,
  listenForDrops,
  returnFiles,
  takeFiles,
} from "./attachments.js";
import { icon, iconButton, make, narrow } from "./dom.js";
import { nameOf, summaryOf } from "./names.js";
import { attempt, toast } from "./notices.js";
import { recordButton } from "./recorder.js";
import * as store from "./store.js";
import { state } from "./store.js";
import { Suggestions } from "./suggestions.js";

const root = document.getElementById("composer");

let place = "";
let replyTo = null;
/** Messages are sent one after the other. */
let sending = Promise.resolve();
let underWay = 0;

const suggestions = new Suggestions({ choose: chooseCommand, clear: () => setText("") });
const context = make("div", { class: "context", hidden: true, data: { testid: "context" } });
const progress = make("div", { class: "sending", hidden: true, data: { testid: "under-way" } });
const input = make("textarea", {
  rows: "1",
  "aria-label": "Message",
  dir: "auto",
  autocomplete: "off",
  data: { testid: "composer-input" },
});
const sendButton = iconButton("send", "Send", {
  class: "send",
  data: { testid: "send-button" },
  on: { click: send },
});
const commandButton = iconButton("menu", "Commands", { on: { click: toggleCommands } });
const microphone = recordButton((file) => {
  addFiles([file], "voice");
  send();
});
const tools = [commandButton, attachButton(), input, microphone, sendButton];
const field = make("div", { class: "field" }, ...tools);
const card = make("div", { class: "card" }, context, attachmentStrip(), field);
const big = make(
  "button",
  { type: "button", class: "start", hidden: true, data: { testid: "start-button" } },
  "START",
);

function setText(text) {
  input.value = text;
  onInput();
}

function onInput() {
  input.style.height = "auto";
  input.style.height = input.scrollHeight ? `${Math.min(input.scrollHeight, 180)}px` : "";
  suggestions.typed(input.value);
  renderSend();
}

function renderSend() {
  input.placeholder = hasFiles() ? "Add a caption" : "Message";
  sendButton.disabled = !input.value.trim() && !hasFiles();
  microphone.hidden = !sendButton.disabled;
}

/** Empties the field at once, and sends what was in it after what is under way. */
function send() {
  const text = input.value.trim();
  if (!text && !hasFiles()) return;
  const written = { text, files: takeFiles(), replyTo, where: here() };
  setText("");
  setReply(null);
  input.focus({ preventScroll: true });
  showProgress(1);
  sending = sending.then(() => deliver(written)).finally(() => showProgress(-1));
}

function showProgress(change) {
  underWay += change;
  const render = () => {
    progress.hidden = underWay === 0;
    progress.textContent = underWay > 1 ? `Sending ${underWay} messages…` : "Sending…";
  };
  // Most messages are sent faster than this, and would only flicker.
  setTimeout(render, change > 0 ? 300 : 0);
}

async function deliver({ text, files, replyTo: answered, where }) {
  const wait = { ...where, reply_to: answered?.message_id };
  let caption = text;
  let left = groupsOf(files);
  try {
    if (left.length === 0) keepSent(await post("/sim/message", { ...wait, text }));
    while (left.length > 0) {
      keepSent(await post("/sim/message", formOf(left[0], { ...wait, caption })));
      forgetPreviews(left[0]);
      caption = "";
      left = left.slice(1);
    }
  } catch (error) {
    toast(error.message, "error");
    giveBack(caption, left.flat(), where);
  }
}

function formOf(files, values) {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) if (value) form.append(name, value);
  for (const { file, kind } of files) form.append(kind, file, file.name);
  return form;
}

/** Puts what was refused back into the field, if that is empty and in the same chat. */
function giveBack(text, files, where) {
  const isHere = where.chat_id === state.chatId && where.user_id === state.personId;
  if (!isHere || input.value || hasFiles()) return;
  returnFiles(files);
  setText(text);
}

function chooseCommand(command) {
  setText("");
  const inGroup = store.chat()?.type !== "private";
  sendText(`/${command.command}${inGroup ? `@${state.bot.username}` : ""}`);
}

function toggleCommands() {
  if (suggestions.isOpen) suggestions.close();
  else suggestions.showCommands();
  if (!narrow.matches) input.focus({ preventScroll: true });
}

/** Shows above the field which message is answered; null for none. */
function setReply(message) {
  replyTo = message;
  context.hidden = !message;
  if (!message) return;
  const name = store.isOwn(message) ? "yourself" : nameOf(message.from);
  context.replaceChildren(
    icon("reply"),
    make(
      "div",
      { class: "context-words" },
      make("b", {}, `Reply to ${name}`),
      make("span", { dir: "auto" }, summaryOf(message)),
    ),
    iconButton("close", "Cancel the reply", { on: { click: () => setReply(null) } }),
  );
  input.focus({ preventScroll: true });
}

/** Returns the button in place of the field, if the chat needs one. */
function bigButton(one) {
  const me = store.person();
  if (one?.type !== "private") return null;
  if (me?.blocks_bot) {
    const unblock = () => attempt(() => post("/sim/unblock", { user_id: me.id }));
    return { text: "UNBLOCK THE BOT", run: unblock };
  }
  if (one.is_started && !state.payload) return null;
  return { text: "START", run: () => start(state.payload) };
}

function renderPlace() {
  const key = `${state.personId}:${store.placeKey(state.chatId, state.threadId)}`;
  const one = store.chat();
  if (key !== place) {
    place = key;
    clear();
    fetchCommands();
  }
  const instead = bigButton(one);
  big.hidden = !instead;
  big.textContent = instead?.text ?? "";
  big.onclick = instead?.run ?? null;
  card.hidden = !one || Boolean(instead);
}

function clear() {
  setReply(null);
  forgetPreviews(takeFiles());
  setText("");
}

function onKey(event) {
  if (event.isComposing) return;
  if (suggestions.key(event)) {
    event.preventDefault();
  } else if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send();
  } else if (event.key === "Escape") {
    setReply(null);
  }
}

function onPaste(event) {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0 || card.hidden) return;
  event.preventDefault();
  addFiles(files, "media");
}

/** Puts the composer into the page. */
export function startComposer() {
  root.append(suggestions.node, progress, card, big);
  input.addEventListener("input", onInput);
  input.addEventListener("keydown", onKey);
  document.addEventListener("paste", onPaste);
  store.watch(["place", "directory"], renderPlace);
  // A person's language or status decides which commands are shown.
  store.watch(["directory", "commands-changed"], fetchCommands);
  store.watch(["commands"], () => suggestions.isOpen && suggestions.typed(input.value));
  store.onSignal("reply", (message) => !card.hidden && setReply(message));
  store.onSignal("files", renderSend);
  store.onSignal("fill", ({ text }) => {
    setText(text);
    input.focus({ preventScroll: true });
  });
  store.onSignal("forgotten", () => setReply(null));
  listenForDrops(document.getElementById("chat"), document.getElementById("drop"));
  renderSend();
}
