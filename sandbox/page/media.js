/** Media inside a bubble. Their space is reserved before they load. */

import { fileAddress } from "./api.js";
import { calm, icon, make } from "./dom.js";
import { durationOf, kindOf, sizeOf } from "./names.js";

const WIDEST = 380;
const HIGHEST = 420;
const NARROWEST = 130;
/** Captions and buttons below a narrow picture need room too. */
const NARROWEST_WITH_TEXT = 260;

/** Returns the medium of a message: what to show, its size and its poster. */
export function mediumOf(message) {
  const kind = kindOf(message);
  if (!kind) return null;
  const source = kind === "photo" ? message.photo.at(-1) : message[kind];
  return {
    kind,
    fileId: source.file_id,
    address: fileAddress(source.file_id),
    width: source.width,
    height: source.height,
    duration: source.duration,
    name: source.file_name,
    size: source.file_size,
    mime: source.mime_type ?? "",
    isVideo: Boolean(source.is_video),
    isDrawing: Boolean(source.is_animated),
    poster: source.thumbnail ? fileAddress(source.thumbnail.file_id) : null,
  };
}

/** Whether a medium fills the bubble from side to side. */
export const isVisual = (medium) => ["photo", "video", "animation"].includes(medium?.kind);

/** Whether a medium is shown without a bubble. */
export const isBare = (medium) => ["sticker", "video_note"].includes(medium?.kind);

/** Returns the size in which a medium is shown, in px. */
export function spaceOf(medium, withText) {
  const ratio = Math.min(3.2, Math.max(0.42, medium.width / medium.height));
  const widest = Math.min(WIDEST, HIGHEST * ratio);
  const natural = Math.min(widest, Math.max(medium.width, NARROWEST));
  const width = Math.round(Math.max(natural, withText ? NARROWEST_WITH_TEXT : NARROWEST));
  return { width, height: Math.round(Math.min(width / ratio, HIGHEST)) };
}

const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!target.isConnected) visible.unobserve(target);
    else if (isIntersecting && !calm.matches) target.play().catch(() => {});
    else target.pause();
  }
});

/** A silent loop that plays only while it is visible. */
function loop(medium, label) {
  const node = make("video", {
    src: medium.address,
    poster: medium.poster,
    autoplay: !calm.matches,
    controls: calm.matches,
    loop: true,
    muted: true,
    playsinline: true,
    preload: "auto",
    disablepictureinpicture: true,
    "aria-label": label,
  });
  visible.observe(node);
  return node;
}

function image(medium) {
  const { address: src, width, height } = medium;
  return make("img", { src, alt: "Photo", width, height, decoding: "async", draggable: "false" });
}

function photo(medium) {
  const attributes = { class: "open", href: medium.address, target: "_blank" };
  return make("a", { ...attributes, title: "Open the photo" }, image(medium));
}

function video(medium) {
  return make("video", {
    src: medium.address,
    poster: medium.poster,
    controls: true,
    playsinline: true,
    preload: "metadata",
    "aria-label": `Video, ${durationOf(medium.duration)}`,
  });
}

/** Builds a photo, video or animation that fills the width of its parent. */
function visual(medium) {
  const frame = make("div", { class: `frame ${medium.kind}` });
  if (medium.kind === "photo") frame.append(photo(medium));
  else if (medium.kind === "video") frame.append(video(medium));
  else {
    const isGif = medium.mime === "image/gif";
    const moving = isGif ? image(medium) : loop(medium, "Animation without sound");
    frame.append(moving, make("span", { class: "badge" }, "GIF"));
  }
  return frame;
}

/** A silent round loop; a click turns its sound on and off. */
function roundVideo(medium) {
  const player = loop(medium, "Round video");
  player.controls = false;
  const mark = make("span", { class: "badge" }, icon("muted"), durationOf(medium.duration));
  const toggle = () => {
    player.muted = !player.muted;
    mark.hidden = !player.muted;
  };
  const attributes = { type: "button", class: "round", title: "Turn the sound on or off" };
  return make("button", { ...attributes, on: { click: toggle } }, player, mark);
}

function sticker(medium) {
  const style = { "aspect-ratio": `${medium.width} / ${medium.height}` };
  if (medium.isDrawing) return make("div", { class: "sticker drawing", style }, "✨");
  const inside = medium.isVideo ? loop(medium, "Sticker") : image(medium);
  inside.controls = false;
  return make("div", { class: "sticker", style }, inside);
}

function file(medium) {
  const name = medium.name ?? "file";
  const ending = /\.([a-z0-9]{1,4})$/iu.exec(name)?.[1] ?? "";
  return make(
    "a",
    { class: "file", href: medium.address, download: name, title: `Download ${name}` },
    make("span", { class: "file-picture" }, ending.toUpperCase() || icon("file")),
    make(
      "span",
      { class: "file-text" },
      make("span", { class: "file-name", dir: "auto" }, name),
      make("span", { class: "file-size" }, `${sizeOf(medium.size)} · ${medium.mime}`),
    ),
  );
}

/** A player; above that of an audio file stands its name. */
function sound(medium) {
  const label = `${medium.name ?? "Voice message"}, ${durationOf(medium.duration)}`;
  const player = { src: medium.address, controls: true, preload: "metadata", "aria-label": label };
  return make(
    "div",
    { class: "sound", data: { testid: "sound" } },
    medium.name ? make("span", { class: "file-name", dir: "auto" }, medium.name) : null,
    make("audio", player),
  );
}

/** Builds any medium. */
export function mediumNode(medium) {
  if (isVisual(medium)) return visual(medium);
  if (medium.kind === "video_note") return roundVideo(medium);
  if (medium.kind === "sticker") return sticker(medium);
  return ["voice", "audio"].includes(medium.kind) ? sound(medium) : file(medium);
}

/** Returns how many pictures are in each row of an album: up to three, fewer ones first. */
function rowSizes(count) {
  const rows = Math.ceil(count / 3);
  const least = Math.floor(count / rows);
  return Array.from({ length: rows }, (_, row) => (row < rows - (count % rows) ? least : least + 1));
}

/** Builds an album as a grid; each row is as high as its pictures allow. */
export function albumNode(messages) {
  const grid = make("div", { class: "album" });
  let next = 0;
  for (const count of rowSizes(messages.length)) {
    const items = messages.slice(next, next + count);
    next += count;
    const shapes = items.map((message) => {
      const medium = mediumOf(message);
      return Math.min(1.9, Math.max(0.66, medium.width / medium.height));
    });
    const sum = shapes.reduce((total, shape) => total + shape, 0);
    const row = make("div", { class: "album-row", style: { "aspect-ratio": String(sum) } });
    items.forEach((message, index) => {
      const cell = visual(mediumOf(message));
      cell.dataset.messageId = String(message.message_id);
      cell.style.flexGrow = String(shapes[index]);
      row.append(cell);
    });
    grid.append(row);
  }
  return grid;
}
