/** Files on their way into a message: chosen, dropped or pasted; shown before they are sent. */

import { iconButton, icon, make } from "./dom.js";
import { sizeOf } from "./names.js";
import { openMenu, toast } from "./notices.js";
import { forgetPreviews, groupsOf } from "./outbox.js";
import { chat, signal, state } from "./store.js";

/** The ways to attach; `kinds` says how a file of a given type is sent. */
const WAYS = {
  media: { label: "Photo or video", icon: "photo", accept: "image/*,video/*", multiple: true },
  file: { label: "File", icon: "file", accept: "", multiple: true },
  round: { label: "Round video", icon: "circle", accept: "video/*", multiple: false },
  gif: { label: "GIF", icon: "gif", accept: "image/gif,video/*", multiple: false },
  sticker: {
    label: "Sticker",
    icon: "sticker",
    accept: "image/webp,image/png,image/jpeg,video/webm,.tgs",
    multiple: false,
  },
};

/** Files that wait: `{file, kind, address}`, where kind is a field of /sim/message. */
let waiting = [];
let note = "";
let strip = null;

export const hasFiles = () => waiting.length > 0;

function kindFor(file, way) {
  if (way !== "media")
    return { file: "document", round: "video_note", gif: "animation", sticker: "sticker" }[way];
  if (file.type === "image/gif") return "animation";
  if (file.type.startsWith("image/")) return "photo";
  return file.type.startsWith("video/") ? "video" : "document";
}

/** Puts files into the strip above the composer. @param {keyof WAYS} way */
export function addFiles(files, way) {
  for (const file of files) {
    if (file.size > state.uploadLimit) {
      const limit = sizeOf(state.uploadLimit);
      toast(`${file.name} has ${sizeOf(file.size)}, and a file can have ${limit}.`, "error");
      continue;
    }
    const kind = kindFor(file, way);
    const isPicture = /^(image|video)\//u.test(file.type);
    waiting.push({ file, kind, address: isPicture ? URL.createObjectURL(file) : null });
  }
  draw();
  signal("files-added", {});
}

/** Takes the files out of the strip: from now on they belong to a message, or to a draft. */
export function takeFiles() {
  const taken = waiting;
  waiting = [];
  draw();
  return taken;
}

/** Puts files that were taken back into the strip. */
export function returnFiles(files) {
  waiting = [...files, ...waiting];
  draw();
}

/** A few words about what will happen to the files. */
export function noteFiles(words) {
  if (note === words) return;
  note = words;
  draw();
}

function removeFile(item) {
  forgetPreviews([item]);
  waiting = waiting.filter((one) => one !== item);
  draw();
}

const NAMES = {
  photo: "photo",
  video: "video",
  animation: "GIF",
  video_note: "round video",
  document: "file",
  sticker: "sticker",
};

/** The picture; what calls itself one and is none looks like a file. */
function imageOf(item) {
  const image = make("img", { src: item.address, alt: "" });
  image.addEventListener("error", () => image.replaceWith(icon("file")));
  return image;
}

/** What a file that was not sent yet looks like. */
export function pictureOf(item) {
  if (!item.address) return icon("file");
  if (!item.file.type.startsWith("video/")) return imageOf(item);
  const look = { muted: true, playsinline: true, preload: "metadata" };
  return make("video", { src: item.address, ...look });
}

function preview(item) {
  const leave = () => removeFile(item);
  return make(
    "figure",
    { class: `waiting ${item.kind}`, data: { testid: "waiting-file", kind: item.kind } },
    pictureOf(item),
    make("figcaption", { title: `${item.file.name}, ${sizeOf(item.file.size)}` }, NAMES[item.kind]),
    iconButton("close", `Leave out ${item.file.name}`, { on: { click: leave } }),
  );
}

/** What waits, and in how many messages it will arrive. */
function stripTitle() {
  if (waiting.length === 0) return "";
  if (waiting.length === 1) return `${waiting[0].file.name} · ${sizeOf(waiting[0].file.size)}`;
  const count = groupsOf(waiting).length;
  return `${waiting.length} files, ${count === 1 ? "one album" : `${count} messages`}`;
}

function draw() {
  strip.hidden = waiting.length === 0;
  strip.replaceChildren(
    make("div", { class: "strip-files" }, ...waiting.map(preview)),
    make(
      "div",
      { class: "strip-foot" },
      make("span", { class: "strip-title" }, [note, stripTitle()].filter(Boolean).join(" · ")),
      asOther(),
    ),
  );
  signal("files", {});
}

/** One tap turns pictures into files and back, as people often want the other. */
function asOther() {
  const pictures = waiting.filter((one) => one.address);
  if (pictures.length === 0 || waiting.some((one) => ["sticker", "video_note"].includes(one.kind)))
    return null;
  const asFiles = pictures.every((one) => one.kind === "document");
  const turn = () => {
    for (const one of pictures) one.kind = kindFor(one.file, asFiles ? "media" : "file");
    draw();
  };
  const label = asFiles ? "Send as photo or video" : "Send as file";
  return make("button", { type: "button", class: "chip", on: { click: turn } }, label);
}

/** The strip above the composer, and one hidden file input for each way to attach. */
export function attachmentStrip() {
  strip = make("div", { class: "strip", hidden: true, data: { testid: "attachment-strip" } });
  return strip;
}

/** The button that asks how to attach. */
export function attachButton() {
  const inputs = Object.entries(WAYS).map(([way, { label, accept, multiple }]) => {
    const input = make("input", {
      type: "file",
      class: "unseen-input",
      accept,
      multiple,
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
  const button = iconButton("attach", "Attach", {
    "aria-haspopup": "menu",
    data: { testid: "attach-button" },
  });
  button.addEventListener("click", () => {
    const items = Object.values(WAYS).map(({ label, icon: name }, index) => ({
      label,
      icon: name,
      run: () => inputs[index].click(),
    }));
    openMenu(items, { anchor: button });
  });
  return make("span", { class: "attach" }, button, ...inputs);
}

const bringsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** Lets files be dropped anywhere on the chat; the half they fall on says how they are sent. */
export function listenForDrops(area, overlay) {
  const half = (way, name, title) =>
    make(
      "div",
      { class: "drop-half", data: { way, testid: `drop-${way}` } },
      icon(name),
      make("b", {}, title),
    );
  overlay.append(half("media", "photo", "as photo or video"), half("file", "file", "as file"));
  let depth = 0;
  const hide = () => {
    depth = 0;
    overlay.hidden = true;
  };
  const highlight = (target) => {
    for (const one of overlay.children) one.classList.toggle("over", one.contains(target));
  };
  area.addEventListener("dragenter", (event) => {
    if (!bringsFiles(event) || !chat()) return;
    event.preventDefault();
    depth += 1;
    overlay.hidden = false;
  });
  area.addEventListener("dragover", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    highlight(event.target);
  });
  area.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) hide();
  });
  area.addEventListener("drop", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    const way = event.target.closest?.("[data-way]")?.dataset.way ?? "media";
    hide();
    if (!chat()) return;
    addFiles([...event.dataTransfer.files], way);
  });
  // A file dropped beside the chat would otherwise replace the page.
  for (const name of ["dragover", "drop"]) {
    window.addEventListener(name, (event) => bringsFiles(event) && event.preventDefault());
  }
}
