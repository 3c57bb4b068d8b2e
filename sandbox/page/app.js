/** The chat page: starts its parts and keeps the URL up to date. */

import { openChat } from "./actions.js";
import { startComposer } from "./composer.js";
import { startHeader } from "./header.js";
import { connect } from "./live.js";
import { startSidebar } from "./sidebar.js";
import * as store from "./store.js";
import { state } from "./store.js";
import { startTimeline } from "./timeline.js";

const asked = new URLSearchParams(window.location.search);
let chosen = false;

const numberIn = (name) => (asked.has(name) ? Number(asked.get(name)) : null);

/** Opens what the URL names, by default the first person's private chat. */
function chooseFirst() {
  const person = state.persons.find((one) => one.id === numberIn("user")) ?? state.persons[0];
  if (!person) return;
  chosen = true;
  state.personId = person.id;
  state.payload = asked.get("start") ?? "";
  const chats = store.chatsOf(person.id);
  const chat = chats.find((one) => one.id === numberIn("chat")) ?? chats[0];
  const topic = chat?.topics?.find((one) => one.message_thread_id === numberIn("thread"));
  openChat(chat?.id ?? 0, topic?.message_thread_id ?? null);
}

/** After a reset, an upgrade or a leave the open chat may be gone. */
function stayPossible() {
  if (!chosen) {
    chooseFirst();
    return;
  }
  if (!store.person()) state.personId = state.persons[0].id;
  const chats = store.chatsOf(state.personId);
  const open = store.chat();
  if (chats.includes(open)) return;
  const successor = chats.find((one) => one.id === open?.migrated_to) ?? chats[0];
  openChat(successor?.id ?? 0);
}

function keepAddress() {
  if (!chosen) return;
  const address = new URLSearchParams({ user: state.personId, chat: state.chatId });
  if (state.threadId !== null) address.set("thread", state.threadId);
  if (state.payload) address.set("start", state.payload);
  window.history.replaceState(null, "", `/?${address}`);
}

store.watch(["directory"], stayPossible);
store.watch(["place"], keepAddress);
startSidebar();
startHeader();
startTimeline();
startComposer();
connect();
