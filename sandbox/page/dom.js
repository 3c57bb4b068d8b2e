/**
 * Elements from data. Text only ever becomes text: nothing here, and nothing that uses it,
 * parses markup, so a message cannot smuggle any in.
 */

const PROPERTIES = new Set(["muted", "value", "checked", "disabled", "hidden", "selected"]);

/**
 * An element with attributes and children.
 *
 * @param {string} tag
 * @param {object} [attributes] `on` holds event listeners, `data` the data-* values, `style`
 *   CSS properties; a value of `true` is an empty attribute, `false` and `null` are none.
 * @param {...(Node|string|number|null|false)} children
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (name === "data") {
      for (const [key, item] of Object.entries(value)) if (item != null) node.dataset[key] = item;
    } else if (name === "style") {
      for (const [key, item] of Object.entries(value)) node.style.setProperty(key, item);
    } else if (PROPERTIES.has(name)) {
      node[name] = value;
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(
    ...children.filter((child) => child !== null && child !== false && child !== undefined),
  );
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** Outlines on a grid of 24, drawn for this page. */
const ICONS = {
  attach:
    "M19 11.5l-7 7a4.6 4.6 0 0 1-6.5-6.5l7.5-7.5a3 3 0 0 1 4.3 4.3l-7.4 7.4a1.4 1.4 0 0 1-2-2l6.6-6.6",
  back: "M14.5 5.5L8 12l6.5 6.5",
  braces:
    "M9 4.5c-2.5 0-2.5 1.5-2.5 3.5s0 3-2 4c2 1 2 2 2 4s0 3.5 2.5 3.5M15 4.5c2.5 0 2.5 1.5 2.5 3.5s0 3 2 4c-2 1-2 2-2 4s0 3.5-2.5 3.5",
  circle: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM10.3 9v6l4.7-3z",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM15 9V4.5H5V16h4",
  down: "M12 5v13M6.5 12.5L12 18l5.5-5.5",
  file: "M6.5 3.5h7l4.5 4.5v12.5H6.5zM13.5 3.5V8H18",
  group:
    "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3.5 19c.4-3.2 2.6-5 5.5-5s5.1 1.8 5.5 5M15.5 5.3a3 3 0 0 1 0 5.4M17.3 14.3c1.9.8 3 2.4 3.2 4.7",
  hidden:
    "M4 4l16 16M9.9 6.2A9.5 9.5 0 0 1 12 6c4.5 0 7.5 3.5 8.8 6a14 14 0 0 1-2.6 3.4M6.2 8A13 13 0 0 0 3.2 12C4.5 14.5 7.5 18 12 18c1.4 0 2.6-.3 3.7-.8M10.2 10.2a2.6 2.6 0 0 0 3.6 3.6",
  link: "M9 6H6v12h12v-3M13 5h6v6M19 5l-8.5 8.5",
  menu: "M5 7h14M5 12h14M5 17h14",
  microphone: "M12 4a2.8 2.8 0 0 1 2.8 2.8v4.4a2.8 2.8 0 0 1-5.6 0V6.8A2.8 2.8 0 0 1 12 4zM6 11.2a6 6 0 0 0 12 0M12 17.2V20.5",
  photo: "M4 5h16v14H4zM4.5 17l4.5-5 3.5 3.5L15.5 12l4 4.5M15.5 9h.01",
  plus: "M12 5v14M5 12h14",
  reply: "M10 6L4.5 11.5 10 17M5 11.5h8c4 0 6 2 6.5 6",
  send: "M4.5 12L4 4.8 20.5 12 4 19.2zM4.5 12H12",
  sound: "M4.5 9.5v5H8l4.5 4v-13L8 9.5zM16 9a4.2 4.2 0 0 1 0 6M18.3 6.7a7.5 7.5 0 0 1 0 10.6",
  muted: "M4.5 9.5v5H8l4.5 4v-13L8 9.5zM16 9.5l4.5 5M20.5 9.5l-4.5 5",
  stop: "M7 7h10v10H7z",
  sticker: "M5 4.5h14V14l-5.5 5.5H5zM19 14h-5.5v5.5M9 10h.01M14.5 10h.01M9 13.5c1 1 2.5 1 3.5.5",
  swap: "M4.5 9H18l-3.5-3.5M19.5 15H6l3.5 3.5",
  topic: "M9.5 4.5L7.5 19.5M16.5 4.5l-2 15M5 9.5h14.5M4.5 14.5H19",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7M10.5 10.5v6M13.5 10.5v6",
};

/** @param {keyof ICONS} name */
export function icon(name) {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", "0 0 24 24");
  node.setAttribute("class", "icon");
  node.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  node.append(path);
  return node;
}

/** A button that shows only an icon; its label is read out and shown on hover. */
export function iconButton(name, label, attributes = {}) {
  const { class: extra = "", ...rest } = attributes;
  return make(
    "button",
    {
      type: "button",
      class: `icon-button ${extra}`.trim(),
      "aria-label": label,
      title: label,
      ...rest,
    },
    icon(name),
  );
}

const known = new WeakMap();

/**
 * Brings the children of a container to the given parts and leaves those alone whose signature
 * is unchanged, so that a playing video plays on while the text below it is edited.
 *
 * @param {Element} container Has no other children than those made here.
 * @param {Array<{name: string, signature: string, build: () => Element}|null>} parts
 */
export function patch(container, parts) {
  const before = known.get(container) ?? new Map();
  const after = new Map();
  for (const part of parts) {
    if (!part) continue;
    const old = before.get(part.name);
    const kept = old?.signature === part.signature;
    after.set(part.name, kept ? old : { signature: part.signature, node: part.build() });
  }
  for (const [name, { node }] of before) if (after.get(name)?.node !== node) node.remove();
  let cursor = container.firstChild;
  for (const { node } of after.values()) {
    if (node === cursor) cursor = cursor.nextSibling;
    else container.insertBefore(node, cursor);
  }
  known.set(container, after);
}

/** Whether the person asked the system for less movement. */
export const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Whether list and chat are two screens. */
export const narrow = window.matchMedia("(max-width: 719px)");
