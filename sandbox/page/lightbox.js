/** A photo over the whole window. */

import { fileAddress } from "./api.js";
import { iconButton, icon, make } from "./dom.js";
import { momentOf, nameOf } from "./names.js";

/** Shows the photo of a message. */
export function openLightbox(message) {
  const largest = message.photo.at(-1);
  const source = fileAddress(largest.file_id);
  const save = make(
    "a",
    {
      class: "icon-button",
      href: source,
      download: `photo-${message.message_id}.jpg`,
      "aria-label": "Download",
      title: "Download",
    },
    icon("download"),
  );
  const title = `${nameOf(message.from)} · ${momentOf(message.date)}`;
  const node = make(
    "dialog",
    { class: "lightbox", "aria-label": "Photo", data: { testid: "lightbox" } },
    make(
      "div",
      { class: "lightbox-head" },
      make("span", { class: "lightbox-title" }, title),
      save,
      iconButton("close", "Close", { on: { click: () => node.close() } }),
    ),
    make("img", { src: source, alt: "Photo", width: largest.width, height: largest.height }),
  );
  node.addEventListener("click", (event) => {
    if (event.target === node || event.target.tagName === "IMG") node.close();
  });
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
}
