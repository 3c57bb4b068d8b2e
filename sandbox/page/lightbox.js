/** A photo over the whole window, with its neighbours of the chat. */

import { fileAddress } from "./api.js";
import { iconButton, icon, make } from "./dom.js";
import { momentOf, nameOf } from "./names.js";
import { openMessages } from "./store.js";

/** Shows the photo of a message; arrow keys go to the other photos of the chat. */
export function openLightbox(message) {
  const photos = openMessages().filter((one) => one.photo);
  let index = photos.findIndex((one) => one.message_id === message.message_id);
  const image = make("img", { alt: "" });
  const title = make("span", { class: "lightbox-title" });
  const save = make(
    "a",
    { class: "icon-button", "aria-label": "Download", title: "Download" },
    icon("download"),
  );
  const close = iconButton("close", "Close", { on: { click: () => node.close() } });
  const previous = iconButton("back", "Previous photo", {
    class: "previous",
    on: { click: () => step(-1) },
  });
  const next = iconButton("back", "Next photo", { class: "next", on: { click: () => step(1) } });
  const node = make(
    "dialog",
    { class: "lightbox", "aria-label": "Photo", data: { testid: "lightbox" } },
    make("div", { class: "lightbox-head" }, title, save, close),
    image,
    previous,
    next,
  );

  function step(by) {
    const target = index + by;
    if (target < 0 || target >= photos.length) return;
    index = target;
    fill();
  }

  function fill() {
    const one = photos[index];
    const largest = one.photo.at(-1);
    image.src = fileAddress(largest.file_id);
    image.width = largest.width;
    image.height = largest.height;
    title.textContent = `${nameOf(one.from)} · ${momentOf(one.date)}`;
    save.href = image.src;
    save.download = `photo-${one.message_id}.jpg`;
    previous.hidden = index === 0;
    next.hidden = index === photos.length - 1;
  }

  node.addEventListener("click", (event) => {
    if (event.target === node || event.target === image) node.close();
  });
  node.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) step(by);
  });
  node.addEventListener("close", () => node.remove());
  if (index < 0) index = photos.push(message) - 1;
  fill();
  document.body.append(node);
  node.showModal();
}
