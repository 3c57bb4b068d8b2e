/** Photos, videos, files and stickers inside a bubble. Their space is kept before they load. */

import { fileAddress } from "./api.js";
import { calm, icon, make } from "./dom.js";
import { openLightbox } from "./lightbox.js";
import { durationOf, kindOf, sizeOf } from "./names.js";

const WIDEST = 380;
const HIGHEST = 420;
const NARROWEST = 130;
/** Captions and buttons below a narrow picture still need room. */
const NARROWEST_WITH_TEXT = 260;

/** The medium of a message as one shape: what to show, how large, and its poster. */
export function mediumOf(message) {
  const kind = kindOf(message);
  if (!kind) return null;
  const source = kind === "photo" ? message.photo.at(-1) : message[kind];
  const thumbnail = kind === "photo" ? null : (source.thumbnail ?? source.thumb);
  const side = source.length ?? 0;
  return {
    kind,
    fileId: source.file_id,
    address: fileAddress(source.file_id),
    width: source.width ?? side,
    height: source.height ?? side,
    duration: source.duration,
    name: source.file_name,
    size: source.file_size,
    mime: source.mime_type ?? "",
    emoji: source.emoji,
    moving: Boolean(source.is_video),
    drawn: Boolean(source.is_animated),
    poster: thumbnail ? fileAddress(thumbnail.file_id) : null,
    spoiler: Boolean(message.has_media_spoiler),
  };
}

/** Whether a medium fills the bubble from side to side. */
export const isVisual = (medium) => ["photo", "video", "animation"].includes(medium?.kind);

/** Whether a medium stands without a bubble. */
export const isBare = (medium) => ["sticker", "video_note"].includes(medium?.kind);

/** The space that a medium gets, in px: its own shape within bounds. */
export function spaceOf(medium, withText) {
  const width = medium.width || 320;
  const height = medium.height || 320;
  const ratio = Math.min(3.2, Math.max(0.42, width / height));
  const widest = Math.min(WIDEST, HIGHEST * ratio);
  const natural = Math.min(widest, Math.max(width, NARROWEST));
  const wanted = Math.max(natural, withText ? NARROWEST_WITH_TEXT : NARROWEST);
  const box = Math.round(Math.min(wanted, WIDEST));
  return { width: box, height: Math.round(Math.min(box / ratio, HIGHEST)) };
}

const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!target.isConnected) visible.unobserve(target);
    else if (isIntersecting && !calm.matches) target.play().catch(() => {});
    else target.pause();
  }
});

/** A silent loop that plays only while it can be seen. */
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
    data: { fileId: medium.fileId },
  });
  visible.observe(node);
  return node;
}

function photo(message, medium) {
  const open = () => openLightbox(message);
  const image = make("img", {
    src: medium.address,
    alt: "Photo",
    width: medium.width,
    height: medium.height,
    decoding: "async",
    draggable: "false",
    data: { fileId: medium.fileId },
  });
  const attributes = {
    type: "button",
    class: "open",
    "aria-label": "Open the photo",
    on: { click: open },
  };
  return make("button", attributes, image);
}

function video(medium) {
  return make("video", {
    src: medium.address,
    poster: medium.poster,
    controls: true,
    playsinline: true,
    preload: "metadata",
    "aria-label": `Video, ${durationOf(medium.duration)}`,
    data: { fileId: medium.fileId },
  });
}

function animation(medium) {
  return [loop(medium, "Animation without sound"), make("span", { class: "badge" }, "GIF")];
}

function cover(frame) {
  const node = make("button", { type: "button", class: "cover" }, icon("hidden"), "Spoiler");
  node.addEventListener("click", () => {
    frame.classList.remove("covered");
    node.remove();
  });
  frame.classList.add("covered");
  frame.append(node);
}

/** The frame of a photo, video or animation; it fills the width that its parent has. */
export function visual(message, medium) {
  const inside = { photo: () => [photo(message, medium)], video: () => [video(medium)] };
  const children = (inside[medium.kind] ?? (() => animation(medium)))();
  const frame = make("div", { class: `frame ${medium.kind}` }, ...children);
  if (medium.spoiler) cover(frame);
  return frame;
}

/** A round video: silent and looping; a tap plays it once from the start, with sound. */
export function roundVideo(medium) {
  const player = loop(medium, "Round video");
  player.controls = false;
  const mark = make("span", { class: "badge" }, icon("muted"), durationOf(medium.duration));
  const label = "Play the round video with sound";
  const node = make(
    "button",
    { type: "button", class: "round", "aria-label": label, title: label },
    player,
    mark,
  );
  const quiet = () => {
    player.muted = true;
    player.loop = true;
    node.classList.remove("sounding");
    if (!calm.matches) player.play().catch(() => {});
  };
  node.addEventListener("click", () => {
    if (!player.muted) return quiet();
    player.muted = false;
    player.loop = false;
    player.currentTime = 0;
    node.classList.add("sounding");
    return player.play().catch(quiet);
  });
  player.addEventListener("ended", quiet);
  player.addEventListener("timeupdate", () => {
    const share = player.duration ? player.currentTime / player.duration : 0;
    node.style.setProperty("--share", `${Math.round(share * 360)}deg`);
  });
  return node;
}

function sticker(medium) {
  const ratio = medium.width && medium.height ? `${medium.width} / ${medium.height}` : "1";
  const style = { "aspect-ratio": ratio };
  if (medium.moving) {
    const player = loop(medium, `Sticker ${medium.emoji ?? ""}`);
    player.controls = false;
    return make("div", { class: "sticker", style }, player);
  }
  if (medium.drawn && !medium.poster) {
    return make(
      "div",
      { class: "sticker drawn", style, title: "Animated stickers are not drawn here" },
      medium.emoji ?? "✨",
    );
  }
  const source = medium.drawn ? medium.poster : medium.address;
  return make(
    "div",
    { class: "sticker", style },
    make("img", { src: source, alt: `Sticker ${medium.emoji ?? ""}` }),
  );
}

function file(medium) {
  const name = medium.name ?? "file";
  const ending = /\.([a-z0-9]{1,4})$/iu.exec(name)?.[1] ?? "";
  const picture = medium.poster
    ? make("img", { src: medium.poster, alt: "" })
    : make("span", { class: "file-kind" }, ending.toUpperCase() || icon("file"));
  return make(
    "a",
    { class: "file", href: medium.address, download: name, title: `Download ${name}` },
    make(
      "span",
      { class: "file-picture" },
      picture,
      make("span", { class: "file-arrow" }, icon("download")),
    ),
    make(
      "span",
      { class: "file-text" },
      make("span", { class: "file-name", dir: "auto" }, name),
      make(
        "span",
        { class: "file-size" },
        [sizeOf(medium.size), medium.mime].filter(Boolean).join(" · "),
      ),
    ),
  );
}

function sound(medium) {
  const player = make("audio", { src: medium.address, controls: true, preload: "metadata" });
  return make(
    "div",
    { class: "sound" },
    medium.name ? make("span", {}, medium.name) : null,
    player,
  );
}

/** Any medium, ready to stand in a bubble. */
export function mediumNode(message, medium) {
  if (isVisual(medium)) return visual(message, medium);
  if (medium.kind === "video_note") return roundVideo(medium);
  if (medium.kind === "sticker") return sticker(medium);
  if (medium.kind === "audio" || medium.kind === "voice") return sound(medium);
  return file(medium);
}

const UNTIL_LOADED_MS = 1200;

/** Keeps the old picture on top of its successor until that one can be seen. */
export function fadeOver(old, next) {
  const content = next.querySelector("img, video");
  if (!old || !content) return next;
  const ghost = make("div", { class: "ghost", "aria-hidden": "true" });
  const shown = old.querySelector("img, video");
  if (!shown) return next;
  shown.removeAttribute("controls");
  shown.removeAttribute("data-file-id");
  ghost.append(shown);
  next.append(ghost);
  const away = () => ghost.remove();
  for (const event of ["load", "loadeddata", "error"])
    content.addEventListener(event, away, { once: true });
  setTimeout(away, UNTIL_LOADED_MS);
  return next;
}

/** How many pictures stand in each row of an album. */
const ROWS = [
  [],
  [1],
  [2],
  [1, 2],
  [2, 2],
  [2, 3],
  [3, 3],
  [2, 2, 3],
  [2, 3, 3],
  [3, 3, 3],
  [2, 2, 3, 3],
];

/** Several media as one grid; each row is as high as its pictures' shapes allow. */
export function albumNode(messages) {
  const grid = make("div", { class: "album" });
  let next = 0;
  for (const count of ROWS[messages.length] ?? ROWS[10]) {
    const items = messages.slice(next, next + count);
    next += count;
    const shapes = items.map((message) => {
      const medium = mediumOf(message);
      // One that has the row to itself lies down, or it would be as high as all others together.
      const narrowest = count === 1 ? 1.25 : 0.66;
      return Math.min(1.9, Math.max(narrowest, (medium.width || 1) / (medium.height || 1)));
    });
    const sum = shapes.reduce((total, shape) => total + shape, 0);
    const row = make("div", { class: "album-row", style: { "aspect-ratio": String(sum) } });
    items.forEach((message, index) => {
      const cell = visual(message, mediumOf(message));
      cell.dataset.messageId = String(message.message_id);
      cell.style.flexGrow = String(shapes[index]);
      row.append(cell);
    });
    grid.append(row);
  }
  return grid;
}
