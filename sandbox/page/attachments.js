/** Files that are attached but not sent yet: chosen, dropped or pasted. */

import { iconButton, icon, make } from "./dom.js";
import { sizeOf } from "./names.js";
import { openMenu, toast } from "./notices.js";
import { chat, signal, state } from "./store.js";

const ALBUM = 10;

/** The ways to attach; `kind` is a field of /sim/message, by default the file's type decides. */
const WAYS = {
  media: { label: "Photo or video", icon: "photo", accept: "image/*,video/*" },
  file: { label: "File", icon: "file", accept: "", kind: "document" },
  round: { label: "Round video", icon: "circle", accept: "video/*", kind: "video_note" },
  voice: { label: "Voice message", icon: "sound", accept: "audio/*", kind: "voice" },
  audio: { label: "Audio file", icon: "sound", accept: "audio/*", kind: "audio" },
  sticker: { label: "Sticker", icon: "sticker", accept: "image/*,video/webm,.tgs", kind: "sticker" },
};

const NAMES = { animation: "GIF", video_note: "round video", voice: "voice message", document: "file" };

/** `{file, kind, address}`, where `address` is of a preview. */
let attached = [];
const strip = make("div", { class: "strip", hidden: true, data: { testid: "attachment-strip" } });

export const hasFiles = () => attached.length > 0;

function kindOf(file) {
  if (file.type === "image/gif") return "animation";
  if (file.type.startsWith("image/")) return "photo";
  const kind = file.type.split("/")[0];
  return ["video", "audio"].includes(kind) ? kind : "document";
}

/** Attaches files. @param {keyof WAYS} way */
export function addFiles(files, way) {
  for (const file of files) {
    if (file.size > state.uploadLimit) {
      const limit = sizeOf(state.uploadLimit);
      toast(`${file.name} has ${sizeOf(file.size)}, and the limit is ${limit}.`, "error");
      continue;
    }
    const isPicture = /^(image|video)\//u.test(file.type);
    const address = isPicture ? URL.createObjectURL(file) : null;
    attached.push({ file, kind: WAYS[way].kind ?? kindOf(file), address });
  }
  draw();
}

/** Removes and returns all attached files. */
export function takeFiles() {
  const taken = attached;
  attached = [];
  draw();
  return taken;
}

/** Attaches files that were taken. */
export function returnFiles(files) {
  attached = [...files, ...attached];
  draw();
}

/** Splits files into messages: photos and videos form albums, audio and files too, all else not. */
export function groupsOf(items) {
  const families = { photo: "media", video: "media", audio: "audio", document: "document" };
  const family = (kind) => families[kind];
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

/** Frees the previews of files that were sent. */
export function forgetPreviews(files) {
  for (const { address } of files) if (address) URL.revokeObjectURL(address);
}

function pictureOf({ file, address }) {
  if (!address) return icon(file.type.startsWith("audio/") ? "sound" : "file");
  if (file.type.startsWith("video/")) return make("video", { src: address, muted: true });
  return make("img", { src: address, alt: "" });
}

function preview(item) {
  const leave = () => {
    forgetPreviews([item]);
    attached = attached.filter((one) => one !== item);
    draw();
  };
  return make(
    "figure",
    { class: `waiting ${item.kind}`, data: { testid: "waiting-file" } },
    pictureOf(item),
    make("figcaption", { title: item.file.name }, NAMES[item.kind] ?? item.kind),
    iconButton("close", `Remove ${item.file.name}`, { on: { click: leave } }),
  );
}

function stripTitle() {
  if (attached.length === 1) return `${attached[0].file.name} · ${sizeOf(attached[0].file.size)}`;
  const count = groupsOf(attached).length;
  return `${attached.length} files, ${count === 1 ? "one album" : `${count} messages`}`;
}

function draw() {
  strip.hidden = attached.length === 0;
  strip.replaceChildren(
    make("div", { class: "strip-files" }, ...attached.map(preview)),
    make("div", { class: "strip-title" }, attached.length ? stripTitle() : ""),
  );
  signal("files", {});
}

/** Builds the strip above the text field. */
export const attachmentStrip = () => strip;

/** Builds the button that offers the ways to attach, and a hidden file input for each. */
export function attachButton() {
  const inputs = Object.entries(WAYS).map(([way, { label, accept }]) => {
    const input = make("input", {
      type: "file",
      class: "unseen-input",
      accept,
      multiple: ["media", "file"].includes(way),
      tabindex: "-1",
      "aria-label": label,
      data: { testid: `attach-${way}` },
    });
    input.addEventListener("change", () => {
      addFiles([...input.files], way);
      input.value = "";
    });
    return input;
  });
  const items = Object.values(WAYS).map(({ label, icon: name }, index) => ({
    label,
    icon: name,
    run: () => inputs[index].click(),
  }));
  const button = iconButton("attach", "Attach", { data: { testid: "attach-button" } });
  button.addEventListener("click", () => openMenu(items, button));
  return make("span", { class: "attach" }, button, ...inputs);
}

const bringsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** Lets files be dropped on the chat. */
export function listenForDrops(area, overlay) {
  overlay.append(icon("photo"), make("b", {}, "Drop files to attach them"));
  area.addEventListener("dragenter", (event) => {
    if (bringsFiles(event) && chat()) overlay.hidden = false;
  });
  overlay.addEventListener("dragleave", () => (overlay.hidden = true));
  area.addEventListener("drop", (event) => {
    overlay.hidden = true;
    if (bringsFiles(event) && chat()) addFiles([...event.dataTransfer.files], "media");
  });
  // A file dropped beside the chat would otherwise replace the page.
  for (const name of ["dragover", "drop"]) {
    window.addEventListener(name, (event) => bringsFiles(event) && event.preventDefault());
  }
}
