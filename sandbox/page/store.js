/** The state of the page, and listeners for its changes. */

/**
 * `threadId` is null in the General topic and in chats without topics. `server` changes when
 * another sandbox is started; `uploadLimit` is in bytes. `messages` holds a map of messages by id
 * for each chat; a changed message is another object. `unread` counts new messages by chat.
 */
export const state = {
  bot: { id: 0, first_name: "Bot", username: "bot", description: "" },
  persons: [],
  chats: [],
  settings: {},
  languages: [],
  server: null,
  token: null,
  uploadLimit: Infinity,
  personId: 0,
  chatId: 0,
  threadId: null,
  payload: "",
  messages: new Map(),
  unread: new Map(),
  doing: new Map(),
  commands: [],
};

const listeners = new Map();
const dirty = new Set();
let scheduled = false;

/** Calls `listener` once per frame in which one of the topics was touched. */
export function watch(topics, listener) {
  for (const topic of topics) {
    if (!listeners.has(topic)) listeners.set(topic, new Set());
    listeners.get(topic).add(listener);
  }
}

/**
 * Says that something changed.
 *
 * Topics: place, directory, messages, doing, commands, commands-changed. A change of place shows at
 * once, so that what is typed next goes to the new chat.
 */
export function touch(...topics) {
  topics.forEach((topic) => dirty.add(topic));
  if (topics.includes("place")) flush();
  if (scheduled || dirty.size === 0) return;
  scheduled = true;
  const later = () => {
    scheduled = false;
    flush();
  };
  // A hidden tab has no frames, but its title still counts new messages.
  if (document.hidden) setTimeout(later, 50);
  else requestAnimationFrame(later);
}

function flush() {
  const topics = [...dirty];
  dirty.clear();
  const due = new Set(topics.flatMap((topic) => [...(listeners.get(topic) ?? [])]));
  for (const listener of due) listener(new Set(topics));
}

const signals = new EventTarget();

/**
 * Tells other parts of the page that something happened: sent, reply, jump, fill, files,
 * forgotten.
 */
export const signal = (name, detail) => signals.dispatchEvent(new CustomEvent(name, { detail }));
export const onSignal = (name, listener) =>
  signals.addEventListener(name, (event) => listener(event.detail));

export const person = () => state.persons.find((one) => one.id === state.personId);
export const chat = () => state.chats.find((one) => one.id === state.chatId);
export const isBot = (user) => user?.id === state.bot.id;
export const authorOf = (message) => message.sim?.author_id ?? message.from?.id;
export const isOwn = (message) => authorOf(message) === state.personId;

/** Returns a person's private chat and groups. */
export function chatsOf(personId) {
  return state.chats.filter((one) => {
    if (one.type === "private") return one.person_id === personId;
    const status = one.members[String(personId)] ?? "left";
    return !one.migrated_to && status !== "left" && status !== "kicked";
  });
}

/** Returns the topic of a message; null for General. */
export const threadOf = (message) =>
  message.is_topic_message || message.forum_topic_created
    ? (message.message_thread_id ?? null)
    : null;

/** Returns the messages of a chat, or of one topic in a forum, oldest first. */
export function messagesOf(one, threadId) {
  const all = [...(state.messages.get(one?.id)?.values() ?? [])];
  const wanted = one?.is_forum ? all.filter((message) => threadOf(message) === threadId) : all;
  return wanted.sort((left, right) => left.message_id - right.message_id);
}

/** Returns the messages of the open chat and topic. */
export const openMessages = () => messagesOf(chat(), state.threadId);

export function putMessage(chatId, message) {
  if (!state.messages.has(chatId)) state.messages.set(chatId, new Map());
  const messages = state.messages.get(chatId);
  const isNew = !messages.has(message.message_id);
  messages.set(message.message_id, message);
  const isSeen = chatId === state.chatId && !document.hidden;
  if (isNew && !isSeen) state.unread.set(chatId, (state.unread.get(chatId) ?? 0) + 1);
  if (isNew && isBot(message.from)) state.doing.delete(placeKey(chatId, threadOf(message)));
  touch("messages", "doing");
}

export function dropMessages(chatId, messageIds) {
  for (const id of messageIds) state.messages.get(chatId)?.delete(id);
  touch("messages");
}

/** Takes all messages as they are on the server. @param {Array<[number, object[]]>} histories */
export function replaceMessages(histories) {
  const before = state.messages;
  state.messages = new Map();
  for (const [chatId, messages] of histories) {
    const after = new Map();
    for (const message of messages) {
      const old = before.get(chatId)?.get(message.message_id);
      const same = old && JSON.stringify(old) === JSON.stringify(message);
      after.set(message.message_id, same ? old : message);
    }
    state.messages.set(chatId, after);
  }
  touch("messages");
}

export const placeKey = (chatId, threadId) => `${chatId}/${threadId ?? ""}`;

export function forgetMessages() {
  state.messages.clear();
  state.doing.clear();
  state.unread.clear();
  touch("messages", "doing");
}

/** Returns the topics of a chat; a chat without topics has one, null. */
export const threadsOf = (one) =>
  one.is_forum ? [null, ...one.topics.map((topic) => topic.message_thread_id)] : [null];
