/**
 * Messages on their way: what was in the field and in the strip when Send was pressed.
 *
 * Each chat has a queue of its own. What is refused or called back goes back into the field if
 * that is free, and else stays here until somebody decides.
 */

import { keepSent } from "./actions.js";
import { post, upload } from "./api.js";
import { toast } from "./notices.js";
import { placeKey, signal, state, touch } from "./store.js";

const ALBUM = 10;
/** Most texts are sent in less, and would only flicker. */
const SHOWN_AFTER_MS = 300;
const CALLED_BACK = "Not sent";

/**
 * @typedef {object} Written
 * @property {string} text
 * @property {object[]} files As `takeFiles()` gives them.
 * @property {number|null} replyTo
 * @property {object|null} editing The message whose text or caption this is.
 * @property {object} place From `here()`.
 */

/** What was written, with `key`, `state` (waiting, sending, failed), `share`, `shown`, `why`. */
let entries = [];
const atWork = new Set();

/** Puts something back into the field. @type {(entry: Written) => boolean} false if not free */
let giveBack = () => false;

export const keyOf = (place) => `${place.user_id}:${placeKey(place.chat_id, place.thread_id)}`;

/** What is under way in the open place. */
export function underWay() {
  const place = { user_id: state.personId, chat_id: state.chatId, thread_id: state.threadId };
  return entries.filter((entry) => entry.shown && entry.key === keyOf(place));
}

/** Splits files into messages: pictures make albums, files make albums, all else stands alone. */
export function groupsOf(items) {
  const family = (kind) => ({ photo: "media", video: "media", document: "document" })[kind] ?? null;
  const groups = [];
  for (const item of items) {
    const last = groups.at(-1);
    const joins =
      last &&
      family(item.kind) &&
      family(last[0].kind) === family(item.kind) &&
      last.length < ALBUM &&
      last.reduce((sum, one) => sum + one.file.size, item.file.size) <= state.uploadLimit;
    if (joins) last.push(item);
    else groups.push([item]);
  }
  return groups;
}

/** Sends what was written, after all that was written there before. @param {Written} written */
export function dispatch(written) {
  const shown = written.files.length > 0;
  const entry = { ...written, key: keyOf(written.place), state: "waiting", share: 0, shown };
  entries.push(entry);
  setTimeout(() => show(entry), SHOWN_AFTER_MS);
  if (shown) signal("sent", { chatId: written.place.chat_id });
  touch("outbox");
  work(entry.key);
}

function show(entry) {
  entry.shown = true;
  if (entries.includes(entry)) touch("outbox");
}

async function work(key) {
  if (atWork.has(key)) return;
  atWork.add(key);
  const next = () => entries.find((entry) => entry.key === key && entry.state === "waiting");
  for (let entry = next(); entry; entry = next()) await deliver(entry);
  atWork.delete(key);
}

async function deliver(entry) {
  Object.assign(entry, { state: "sending", share: 0 });
  touch("outbox");
  try {
    if (entry.editing) await changeMessage(entry);
    else if (entry.files.length > 0) await sendFiles(entry);
    else await sendWords(entry);
    leaveOut(entry);
  } catch (error) {
    if (!entries.includes(entry)) return;
    settle(entry, error.name === "AbortError" ? CALLED_BACK : error.message);
  }
}

/** What was not sent goes back into the field; if that is not free, it stays and says why. */
function settle(entry, why) {
  const isFree = giveBack(entry);
  if (isFree) remove(entry);
  else Object.assign(entry, { state: "failed", shown: true, why });
  touch("outbox");
  const isSeen = !isFree && underWay().includes(entry);
  if (why !== CALLED_BACK && !isSeen) toast(why, "error");
}

const changeMessage = ({ editing, text, place }) =>
  post("/sim/edit", {
    user_id: place.user_id,
    chat_id: editing.chat.id,
    message_id: editing.message_id,
    text,
  });

async function sendWords({ text, replyTo, place }) {
  keepSent(await post("/sim/message", { ...place, text, reply_to: replyTo }));
}

function formOf(group, { text, replyTo, place }) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...place, caption: text, reply_to: replyTo })) {
    if (value !== null && value !== undefined && value !== "") form.append(name, value);
  }
  for (const { file, kind } of group) form.append(kind, file, file.name);
  return form;
}

/** Sends message by message; what is sent is no longer part of the entry. */
async function sendFiles(entry) {
  const groups = groupsOf(entry.files);
  for (const [index, group] of groups.entries()) {
    entry.stop = new AbortController();
    const progress = (share) => {
      entry.share = (index + share) / groups.length;
      // Whoever has all of it cannot be asked to forget it.
      if (share === 1) entry.stop = null;
      touch("outbox");
    };
    progress(0);
    const form = formOf(group, entry);
    keepSent(await upload("/sim/message", form, { progress, signal: entry.stop.signal }));
    forgetPreviews(group);
    Object.assign(entry, { files: groups.slice(index + 1).flat(), text: "", replyTo: null });
  }
}

/** Gives back the memory of previews that nobody will see again. */
export function forgetPreviews(files) {
  for (const { address } of files) if (address) URL.revokeObjectURL(address);
}

/** Whether an entry can still be called back. */
export const canStop = (entry) =>
  entry.state === "waiting" || Boolean(entry.state === "sending" && entry.stop);

/** Calls an entry back before all of it has left. */
export function callBack(entry) {
  if (entry.state === "waiting") settle(entry, CALLED_BACK);
  else entry.stop?.abort();
}

/** Tries to send once more what was refused. */
export function sendAgain(entry) {
  entry.state = "waiting";
  touch("outbox");
  work(entry.key);
}

/** Puts what was refused back into the field. */
export function takeBack(entry) {
  if (giveBack(entry)) remove(entry);
  else toast("The field is not empty: send or clear first what is in it.", "error");
}

function remove(entry) {
  entries = entries.filter((one) => one !== entry);
  touch("outbox");
}

/** Drops an entry. */
export function leaveOut(entry) {
  forgetPreviews(entry.files);
  remove(entry);
}

/** Drops everything, as everything else is dropped. */
export function emptyOutbox() {
  const all = entries;
  entries = [];
  for (const entry of all) {
    entry.stop?.abort();
    forgetPreviews(entry.files);
  }
  touch("outbox");
}

/** @param {typeof giveBack} back */
export function startOutbox(back) {
  giveBack = back;
}
