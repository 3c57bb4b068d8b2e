/** Where a person writes: text, files, replies, edits; or START where nothing was said yet. */

import { fetchCommands, here, sendText, start } from "./actions.js";
import { post } from "./api.js";
import {
  addFiles,
  attachButton,
  attachmentStrip,
  hasFiles,
  listenForDrops,
  noteFiles,
  returnFiles,
  takeFiles,
} from "./attachments.js";
import { icon, iconButton, make, narrow } from "./dom.js";
import { askedOfComposer, replyKeyboard } from "./keyboards.js";
import { canEdit, nameOf, summaryOf } from "./names.js";
import { attempt } from "./notices.js";
import { dispatch, emptyOutbox, forgetPreviews, keyOf, startOutbox } from "./outbox.js";
import * as store from "./store.js";
import { state } from "./store.js";
import { Suggestions } from "./suggestions.js";

const root = document.getElementById("composer");
/** Text and files of the places that are not open. */
const drafts = new Map();
const NOTHING = { text: "", files: [] };
const forcedSeen = new Set();

let place = "";
let replyTo = null;
let editing = null;
/** What was being written when an edit began. */
let parked = "";
let keyboardShown = true;
let keyboardLook = "";
let botsHint = "";

const suggestions = new Suggestions({ choose: chooseCommand, clear: () => setText("") });
const context = make("div", { class: "context", hidden: true, data: { testid: "context" } });
const keyboardBox = make("div", { class: "reply-keyboard-box", hidden: true });
const input = make("textarea", {
  rows: "1",
  placeholder: "Message",
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
const keyboardToggle = iconButton("keyboard", "Keyboard of the bot", {
  hidden: true,
  on: { click: () => showKeyboard(!keyboardShown) },
});
const commandButton = iconButton("menu", "Commands", {
  data: { testid: "commands-button" },
  on: { click: toggleCommands },
});
const field = make(
  "div",
  { class: "field" },
  commandButton,
  attachButton(),
  input,
  keyboardToggle,
  sendButton,
);
const card = make("div", { class: "card" }, context, attachmentStrip(), field);
const notice = make("div", { class: "composer-notice", hidden: true });
const big = make(
  "button",
  { type: "button", class: "start", hidden: true, data: { testid: "start-button" } },
  "START",
);

function setText(text) {
  input.value = text;
  grow();
  suggestions.typed(text);
  renderSend();
}

function grow() {
  input.style.height = "auto";
  const height = input.scrollHeight;
  input.style.height = height ? `${Math.min(height, 180)}px` : "";
}

/** A caption may be emptied, a text may not. */
const mayBeEmpty = () => (editing ? editing.text === undefined : hasFiles());

/** Whether the field is there at all: START and its like stand in its place. */
const canWrite = () => !card.hidden && !field.hidden;

function renderSend() {
  if (editing) input.placeholder = mayBeEmpty() ? "No caption" : "Message";
  else input.placeholder = hasFiles() ? "Add a caption" : botsHint || "Message";
  sendButton.disabled = !input.value.trim() && !mayBeEmpty();
  sendButton.replaceChildren(icon(editing ? "check" : "send"));
}

function focusInput() {
  // On phones the focus would bring up the keyboard over what one reads.
  if (!narrow.matches) input.focus({ preventScroll: true });
}

/** Empties the field at once: text and files are the outbox's from here on. */
function send() {
  const text = input.value.trim();
  if (!text && !mayBeEmpty()) return;
  const reply = replyTo?.message_id ?? null;
  // Files that wait while a message is edited are for the next one.
  const written = { text, editing, replyTo: reply, files: editing ? [] : takeFiles() };
  suggestions.close();
  setText(editing ? parked : "");
  leaveContext();
  input.focus({ preventScroll: true });
  dispatch({ ...written, place: here() });
}

/** Puts what was not sent back to where it was written. @returns {boolean} whether that is free */
function takeBack({ text, files, replyTo: answered, editing: edited, place: where }) {
  const key = keyOf(where);
  if (key !== place) {
    const draft = drafts.get(key) ?? NOTHING;
    if (edited || draft.text || draft.files.length > 0) return false;
    drafts.set(key, { text, files });
    return true;
  }
  if (input.value || hasFiles() || editing || replyTo) return false;
  const reply = answered && state.messages.get(where.chat_id)?.get(answered);
  if (edited) enterContext("edit", edited);
  else if (reply) enterContext("reply", reply);
  returnFiles(files);
  setText(text);
  return true;
}

/** Presses START; files that wait go out after it. */
async function startWithFiles() {
  const written = { ...NOTHING, files: takeFiles(), place: here() };
  const isStarted = await start(state.payload);
  if (written.files.length === 0) return;
  if (isStarted) dispatch(written);
  else takeBack(written);
}

function chooseCommand(command) {
  suggestions.close();
  setText("");
  const inGroup = store.chat()?.type !== "private";
  sendText(`/${command.command}${inGroup ? `@${state.bot.username}` : ""}`);
}

function toggleCommands() {
  if (suggestions.isOpen) suggestions.close();
  else suggestions.showCommands();
  focusInput();
}

/** Shows above the field what is answered or edited. */
function enterContext(kind, message) {
  if (kind === "edit") {
    if (!editing) parked = input.value;
    editing = message;
    replyTo = null;
    setText(message.text ?? message.caption ?? "");
  } else {
    if (editing) setText(parked);
    replyTo = message;
    editing = null;
  }
  const title =
    kind === "edit"
      ? "Edit message"
      : `Reply to ${store.isOwn(message) ? "yourself" : nameOf(message.from)}`;
  context.hidden = false;
  context.replaceChildren(
    icon(kind === "edit" ? "edit" : "reply"),
    make(
      "div",
      { class: "context-words" },
      make("b", {}, title),
      make("span", { dir: "auto" }, summaryOf(message)),
    ),
    iconButton("close", "Leave", { on: { click: cancelContext } }),
  );
  renderSend();
  input.focus({ preventScroll: true });
}

function leaveContext() {
  replyTo = null;
  editing = null;
  parked = "";
  context.hidden = true;
  context.replaceChildren();
}

function cancelContext() {
  if (editing) setText(parked);
  leaveContext();
  renderSend();
}

function showKeyboard(shown) {
  keyboardShown = shown;
  keyboardBox.hidden = !shown || !keyboardLook || !canWrite();
  keyboardToggle.setAttribute("aria-expanded", String(!keyboardBox.hidden));
}

/** Follows what the bot asked for: a keyboard, an answer, a hint in the field. */
function renderAsked() {
  const asked = askedOfComposer();
  // A one-time keyboard folds away when it was used; the button beside the field unfolds it.
  const folds = Boolean(asked.keyboard?.one_time_keyboard && asked.used);
  const look = asked.keyboard
    ? `${state.chatId} ${asked.messageId} ${folds} ${JSON.stringify(asked.keyboard)}`
    : "";
  if (look !== keyboardLook) {
    keyboardLook = look;
    keyboardBox.replaceChildren(...(asked.keyboard ? [replyKeyboard(asked.keyboard)] : []));
    showKeyboard(!folds);
  }
  keyboardToggle.hidden = !asked.keyboard;
  const markup = asked.keyboard ?? (asked.forced ? asked.markup : null);
  botsHint = markup?.input_field_placeholder ?? "";
  renderSend();
  const forcedKey = asked.forced && `${state.chatId}/${asked.forced.message_id}`;
  if (forcedKey && !forcedSeen.has(forcedKey)) {
    forcedSeen.add(forcedKey);
    enterContext("reply", asked.forced);
  }
}

function bigButton(one) {
  const me = store.person();
  if (one.type !== "private") return null;
  if (me?.blocks_bot) {
    return {
      text: "UNBLOCK THE BOT",
      run: () => attempt(() => post("/sim/unblock", { user_id: me.id })),
    };
  }
  if (one.is_started && !state.payload) return null;
  return { text: "START", run: startWithFiles, note: "Goes out after START" };
}

function renderPlace() {
  const key = `${state.personId}:${store.placeKey(state.chatId, state.threadId)}`;
  const one = store.chat();
  if (key !== place) {
    if (place) drafts.set(place, { text: editing ? parked : input.value, files: takeFiles() });
    place = key;
    leaveContext();
    const draft = drafts.get(key) ?? NOTHING;
    drafts.delete(key);
    returnFiles(draft.files);
    setText(draft.text);
    suggestions.close();
    fetchCommands();
  }
  const instead = one ? bigButton(one) : null;
  big.hidden = !instead;
  big.textContent = instead?.text ?? "";
  big.onclick = instead?.run ?? null;
  field.hidden = Boolean(instead);
  noteFiles(instead?.note ?? "");
  renderCard();
  renderNotice(one);
  renderAsked();
  showKeyboard(keyboardShown);
}

/** Where START stands in the field's place, files can wait all the same. */
function renderCard() {
  card.hidden = !store.chat() || (field.hidden && !hasFiles());
}

function renderNotice(one) {
  const absent =
    one &&
    one.type !== "private" &&
    !["member", "administrator", "creator"].includes(one.bot_status ?? "member");
  notice.hidden = !absent;
  if (!absent) return;
  const add = () =>
    attempt(() => post("/sim/members", { chat_id: one.id, status: "member", by: state.personId }));
  notice.replaceChildren(
    "The bot is not in this group. ",
    make("button", { type: "button", class: "chip", on: { click: add } }, "Add it"),
  );
}

function onKey(event) {
  if (event.isComposing) return;
  if (suggestions.key(event)) {
    event.preventDefault();
  } else if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send();
  } else if (event.key === "Escape") {
    cancelContext();
  } else if (event.key === "ArrowUp" && !input.value && !hasFiles()) {
    const last = store.openMessages().findLast(canEdit);
    if (!last) return;
    event.preventDefault();
    enterContext("edit", last);
  }
}

/** Whoever begins to type, wherever the focus is, means the message. */
function isForInput(event) {
  const types = event.key.length === 1 && event.key !== " " && !event.isComposing;
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  const busy = event.target.closest("input, textarea, select, dialog, .menu, .panel");
  return types && plain && !busy && canWrite();
}

function onPaste(event) {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length === 0 || !store.chat()) return;
  event.preventDefault();
  addFiles(files, "media");
}

/** Messages have other numbers now; what is written but not sent stays. */
function forgetMessages() {
  forcedSeen.clear();
  cancelContext();
}

function startOver() {
  forgetMessages();
  for (const { files } of drafts.values()) forgetPreviews(files);
  drafts.clear();
  forgetPreviews(takeFiles());
  emptyOutbox();
}

/** Puts the composer into the page. */
export function startComposer() {
  root.append(suggestions.node, notice, card, big, keyboardBox);
  startOutbox(takeBack);
  input.addEventListener("input", () => {
    grow();
    renderSend();
    if (!editing) suggestions.typed(input.value);
  });
  input.addEventListener("keydown", onKey);
  document.addEventListener("paste", onPaste);
  document.addEventListener("keydown", (event) => {
    const free =
      event.target === document.body &&
      !document.querySelector("dialog[open], [popover]:popover-open");
    if (event.key === "Escape" && free) cancelContext();
    if (isForInput(event)) input.focus({ preventScroll: true });
  });
  store.watch(["place", "directory"], renderPlace);
  store.watch(["messages"], renderAsked);
  // A person's language or role decides which commands are shown, and both may change.
  store.watch(["directory", "commands-changed"], fetchCommands);
  store.watch(["commands"], () => suggestions.isOpen && suggestions.typed(input.value));
  store.onSignal("reply", (message) => canWrite() && enterContext("reply", message));
  store.onSignal("edit", (message) => canWrite() && enterContext("edit", message));
  store.onSignal("files", () => {
    renderCard();
    renderSend();
  });
  store.onSignal("files-added", focusInput);
  store.onSignal("fill", ({ text }) => {
    // Where the chat changes, its own draft is put in first.
    requestAnimationFrame(() => {
      setText(text);
      input.focus({ preventScroll: true });
      input.setSelectionRange(text.length, text.length);
    });
  });
  store.onSignal("reset", startOver);
  store.onSignal("another-server", forgetMessages);
  listenForDrops(document.getElementById("chat"), document.getElementById("drop"));
  renderSend();
}
