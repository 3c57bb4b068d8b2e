/** Keeps the store in step with the server: everything at first, then event by event. */

import { keepAnswer } from "./answers.js";
import { get } from "./api.js";
import { banner } from "./notices.js";
import * as store from "./store.js";
import { state } from "./store.js";

const DOING_MS = 5000;
const RETRY_MS = 500;
const STOPPED = "The sandbox has stopped. This page reconnects when it is started again.";

/** Events that arrive during a fetch wait here, so that none is lost. */
let waiting = null;
let latestFetch = 0;

function takeDirectory(found) {
  Object.assign(state, {
    bot: found.bot,
    persons: found.persons,
    chats: found.chats,
    settings: found.settings,
    languages: found.languages,
    uploadLimit: found.upload_limit_bytes,
    token: found.token,
  });
  store.touch("directory");
}

/** Fetches everything; events that arrive meanwhile are applied afterwards. */
async function fetchAll() {
  const ours = ++latestFetch;
  waiting ??= [];
  try {
    const found = await get("/sim/chats");
    const histories = await Promise.all(found.chats.map((one) => get(`/sim/chat/${one.id}`)));
    if (ours !== latestFetch || found.server !== state.server) return;
    takeDirectory(found);
    store.replaceMessages(histories.map(({ chat, messages }) => [chat.id, messages]));
  } catch {
    // The connection is lost; everything is fetched again when it is back.
  } finally {
    if (ours === latestFetch) {
      const late = waiting;
      waiting = null;
      late.forEach(apply);
    }
  }
}

let directoryTimer = 0;

/** Fetches people, chats and settings, once for several changes in a row. */
function fetchDirectorySoon() {
  clearTimeout(directoryTimer);
  directoryTimer = setTimeout(async () => {
    const found = await get("/sim/chats").catch(() => null);
    if (!found || waiting) return;
    if (found.chats.some((one) => !state.chats.some((known) => known.id === one.id))) fetchAll();
    else takeDirectory(found);
  }, 40);
}

function apply(event) {
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
      fetchAll();
      break;
    default:
  }
}

function forget() {
  store.forgetMessages();
  store.signal("forgotten", {});
}

function showDoing(event) {
  const one = state.chats.find((chat) => chat.id === event.chat_id);
  const key = store.placeKey(event.chat_id, one?.is_forum ? (event.thread_id ?? null) : null);
  state.doing.set(key, { action: event.action, until: Date.now() + DOING_MS });
  store.touch("doing");
  setTimeout(() => store.touch("doing"), DOING_MS + 20);
}

/** Another server on the same port has other messages under the same numbers. */
function greet(server) {
  if (state.server !== null && state.server !== server) {
    waiting = null;
    forget();
  }
  state.server = server;
  fetchAll();
}

function receive(event) {
  if (event.type === "hello") greet(event.server);
  else if (event.type === "answer") keepAnswer(event.query_id, event.answer);
  else if (waiting) waiting.push(event);
  else apply(event);
}

/** Connects, and reconnects whenever the connection is lost. */
export function connect() {
  // Not EventSource: a browser opens only six of those to one server, in all its tabs.
  const socket = new WebSocket(`${window.location.origin.replace(/^http/u, "ws")}/sim/events`);
  socket.addEventListener("open", () => banner(null));
  socket.addEventListener("message", (message) => receive(JSON.parse(message.data)));
  socket.addEventListener("close", () => {
    banner(STOPPED);
    setTimeout(connect, RETRY_MS);
  });
}
