/** Keeps the store in step with the server: first everything, then event by event. */

import { keepAnswer } from "./answers.js";
import { get } from "./api.js";
import { banner } from "./notices.js";
import * as store from "./store.js";
import { state } from "./store.js";

const DOING_MS = 5000;
const RETRY_MS = { first: 500, longest: 2000 };
const GRACE_MS = 700;
const STOPPED = "The sandbox has stopped. Started again on this port, it comes back here.";

/** Events that arrive during a fetch of everything wait here, so that none is lost or undone. */
let waiting = null;
let latestFetch = 0;

/** Chats whose history is here; for those under way, the events that came meanwhile. */
const known = new Set();
const underWay = new Map();

/** Fetches persons, chats and settings. */
export async function fetchDirectory() {
  const found = await get("/sim/chats");
  if (found.server !== state.server) throw new Error("This is what another server said.");
  Object.assign(state, {
    bot: found.bot,
    persons: found.persons,
    chats: found.chats,
    settings: found.settings ?? {},
    languages: found.languages ?? ["en"],
    uploadLimit: found.upload_limit_bytes ?? Infinity,
    token: found.token ?? null,
  });
  store.touch("directory");
}

async function fetchMessages(isLatest) {
  const chats = [...state.chats];
  const found = await Promise.all(chats.map((one) => get(`/sim/chat/${one.id}`)));
  if (!isLatest()) return;
  const ids = new Set(chats.map((one) => one.id));
  for (const id of state.messages.keys()) if (!ids.has(id)) state.messages.delete(id);
  known.clear();
  chats.forEach((one, index) => {
    known.add(one.id);
    store.replaceMessages(one.id, found[index].messages);
    store.startCounting(one.id);
  });
}

/** Fetches everything; what the events said meanwhile is applied afterwards. */
export async function fetchAll() {
  const ours = ++latestFetch;
  const isLatest = () => ours === latestFetch;
  waiting ??= [];
  underWay.clear();
  try {
    await fetchDirectory();
    if (isLatest()) await fetchMessages(isLatest);
  } finally {
    if (isLatest()) {
      const late = waiting;
      waiting = null;
      late.forEach(apply);
    }
  }
  if (isLatest()) store.signal("fetched", {});
}

let directoryTimer = 0;

/** Several changes in a row are one fetch. */
function fetchDirectorySoon() {
  clearTimeout(directoryTimer);
  directoryTimer = setTimeout(() => {
    fetchDirectory()
      .then(fetchUnknownChats)
      .catch(() => {});
  }, 40);
}

function fetchUnknownChats() {
  const unknown = state.chats.filter((one) => !known.has(one.id) && !underWay.has(one.id));
  return Promise.all(unknown.map((one) => fetchHistory(one.id)));
}

/** Fetches the messages of a new chat; what happens there meanwhile is newer, and comes after. */
async function fetchHistory(chatId) {
  const late = [];
  underWay.set(chatId, late);
  const found = await get(`/sim/chat/${chatId}`).catch(() => null);
  // A fetch of everything that began since has all of it.
  if (underWay.get(chatId) !== late) return;
  underWay.delete(chatId);
  if (found) {
    known.add(chatId);
    store.replaceMessages(chatId, found.messages);
  }
  late.forEach(apply);
}

function apply(event) {
  if (underWay.has(event.chat_id) && event.type !== "chat_action") {
    underWay.get(event.chat_id).push(event);
    return;
  }
  switch (event.type) {
    case "message":
    case "edited":
      store.putMessage(event.chat_id, event.message);
      break;
    case "deleted":
      store.dropMessages(event.chat_id, event.message_ids);
      break;
    case "chat_action":
      showDoing(event);
      break;
    case "state":
      fetchDirectorySoon();
      break;
    case "commands":
      store.touch("commands-changed");
      break;
    case "reset":
      forget();
      store.signal("reset", {});
      fetchAll().catch(() => {});
      break;
    default:
  }
}

function forget() {
  state.messages.clear();
  state.doing.clear();
  known.clear();
  store.forgetCounts();
  store.touch("messages", "doing");
}

function showDoing(event) {
  const one = state.chats.find((chat) => chat.id === event.chat_id);
  const key = store.placeKey(event.chat_id, one?.is_forum ? (event.thread_id ?? null) : null);
  state.doing.set(key, { action: event.action, until: Date.now() + DOING_MS });
  store.touch("doing");
  setTimeout(() => store.touch("doing"), DOING_MS + 20);
}

/** A server that was started anew counts from 1 again: what is here means nothing there. */
function greet(server) {
  if (state.server !== null && state.server !== server) {
    waiting = null;
    forget();
    store.signal("another-server", {});
  }
  state.server = server;
  fetchAll().catch(() => {});
}

function receive(event) {
  if (event.type === "hello") greet(event.server);
  else if (event.type === "call") store.signal("call", event.call);
  else if (event.type === "answer") keepAnswer(event.query_id, event.answer);
  else if (waiting) waiting.push(event);
  else apply(event);
}

/** Listens to the server; it greets after each interruption, and everything is fetched again. */
export function connect() {
  let retryMs = RETRY_MS.first;
  let goneTimer = 0;
  const back = () => {
    clearTimeout(goneTimer);
    goneTimer = 0;
    retryMs = RETRY_MS.first;
    banner(null);
  };
  const open = () => {
    // Not EventSource: a browser opens six connections of that kind to one server, in all its tabs.
    const socket = new WebSocket(`${window.location.origin.replace(/^http/u, "ws")}/sim/events`);
    socket.addEventListener("message", (message) => {
      const event = JSON.parse(message.data);
      if (event.type === "hello") back();
      receive(event);
    });
    socket.addEventListener("close", () => {
      goneTimer ||= setTimeout(() => banner(STOPPED), GRACE_MS);
      setTimeout(open, retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MS.longest);
    });
  };
  open();
}
