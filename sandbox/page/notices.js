/** What is said beside the chat: toasts, alerts, questions, the banner and small menus. */

import { icon, make } from "./dom.js";

const TOAST_MS = 4000;

/** A sentence that goes by itself. @param {"info"|"error"|"answer"} kind */
export function toast(text, kind = "info") {
  const box = document.getElementById("toasts");
  const node = make("div", { class: `toast ${kind}`, data: { testid: "toast" } }, text);
  node.addEventListener("click", () => node.remove());
  box.append(node);
  while (box.children.length > 4) box.firstChild.remove();
  // Long sentences stay as long as they take to read.
  const stay = Math.max(TOAST_MS, text.length * 55);
  setTimeout(() => node.classList.add("going"), stay);
  setTimeout(() => node.remove(), stay + 300);
}

/** Runs something that asks the server and shows its sentence if it says no. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message, "error");
    return null;
  }
}

export async function copy(text, said = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    toast("The browser did not let the page copy.", "error");
  }
}

function dialog(attributes, ...children) {
  const node = make("dialog", attributes, ...children);
  node.addEventListener("close", () => node.remove());
  node.addEventListener("click", (event) => {
    if (event.target === node && attributes.class.includes("light")) node.close();
  });
  document.body.append(node);
  node.showModal();
  return node;
}

/** A message that waits for OK, as bots show with `show_alert`. */
export function alertDialog(title, text) {
  dialog(
    { class: "dialog", "aria-label": title, data: { testid: "alert" } },
    make("h2", {}, title),
    make("p", { dir: "auto" }, text),
    make(
      "form",
      { method: "dialog", class: "dialog-foot" },
      make("button", { class: "primary", data: { testid: "alert-ok" } }, "OK"),
    ),
  );
}

/**
 * Asks for one line of text, or only for a yes.
 *
 * @param {{title: string, text?: string, label?: string, yes: string, danger?: boolean}} question
 * @returns {Promise<string|null>} The text (empty for a yes), null when left.
 */
export function ask(question) {
  return new Promise((resolve) => {
    const input = question.label
      ? make("input", {
          type: "text",
          "aria-label": question.label,
          placeholder: question.label,
          required: true,
        })
      : null;
    const yes = make(
      "button",
      { class: question.danger ? "primary danger" : "primary", value: "yes" },
      question.yes,
    );
    const no = make(
      "button",
      { value: "", type: "button", on: { click: () => node.close() } },
      "Cancel",
    );
    const node = dialog(
      { class: "dialog light", "aria-label": question.title, data: { testid: "question" } },
      make("h2", {}, question.title),
      question.text ? make("p", {}, question.text) : null,
      make("form", { method: "dialog" }, input, make("div", { class: "dialog-foot" }, no, yes)),
    );
    node.addEventListener("close", () =>
      resolve(node.returnValue === "yes" ? (input?.value.trim() ?? "") : null),
    );
  });
}

/** Lets the person pick one of several. @returns {Promise<any|null>} */
export function pick(title, choices) {
  return new Promise((resolve) => {
    let picked = null;
    const choose = (value) => {
      picked = value;
      node.close();
    };
    const buttons = choices.map((choice) =>
      make(
        "button",
        { type: "button", class: "choice", on: { click: () => choose(choice.value) } },
        choice.icon,
        choice.label,
      ),
    );
    const node = dialog(
      { class: "dialog light", "aria-label": title },
      make("h2", {}, title),
      ...buttons,
    );
    node.addEventListener("close", () => resolve(picked));
  });
}

/** A thing as JSON, to read and to copy. */
export function showJson(title, value) {
  const text = JSON.stringify(value, null, 2);
  dialog(
    { class: "dialog light wide", "aria-label": title, data: { testid: "raw-json" } },
    make("h2", {}, title),
    make("pre", { class: "json", tabindex: "0" }, ...coloured(text)),
    make(
      "form",
      { method: "dialog", class: "dialog-foot" },
      make("button", { type: "button", on: { click: () => copy(text) } }, "Copy"),
      make("button", { class: "primary" }, "Close"),
    ),
  );
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/giu;

/** JSON text as coloured nodes. */
export function coloured(text) {
  const nodes = [];
  let position = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > position) nodes.push(text.slice(position, match.index));
    const kind = match[1] ? (match[2] ? "key" : "string") : match[3] ? "word" : "number";
    nodes.push(make("span", { class: `json-${kind}` }, match[1] ?? match[0]));
    if (match[2]) nodes.push(match[2]);
    position = match.index + match[0].length;
  }
  nodes.push(text.slice(position));
  return nodes;
}

/**
 * A small menu at a button or at the pointer; Escape and a click elsewhere close it.
 *
 * @param {Array<{label: string, icon: string, run: () => void, danger?: boolean, testid?: string}>} items
 * @param {{anchor?: Element, x?: number, y?: number}} where
 */
export function openMenu(items, where) {
  const node = make("div", {
    class: "menu",
    role: "menu",
    popover: where.anchor ? "auto" : "manual",
  });
  for (const item of items) {
    const run = () => {
      node.hidePopover();
      item.run();
    };
    const look = { type: "button", role: "menuitem", class: item.danger ? "danger" : null };
    node.append(
      make(
        "button",
        { ...look, data: { testid: item.testid }, on: { click: run } },
        icon(item.icon),
        item.label,
      ),
    );
  }
  node.addEventListener("keydown", (event) => moveFocus(event, node));
  show(node, where);
  if (!where.anchor) closeByHand(node);
  node.firstChild.focus({ preventScroll: true });
}

/** A small box with any content at a button. @returns {() => void} closes it */
export function openHint(anchor, ...children) {
  const node = make(
    "div",
    { class: "menu hint", popover: "auto", data: { testid: "hint" } },
    ...children,
  );
  show(node, { anchor });
  return () => node.hidePopover();
}

function show(node, where) {
  const focused = document.activeElement;
  document.body.append(node);
  node.addEventListener("beforetoggle", (event) => {
    const closes = event.newState === "closed" && node.contains(document.activeElement);
    if (closes) focused?.focus({ preventScroll: true });
  });
  node.addEventListener("toggle", (event) => event.newState === "closed" && node.remove());
  node.showPopover();
  const box = where.anchor?.getBoundingClientRect();
  const x = box ? box.left : where.x;
  const above = box ? box.top - node.offsetHeight - 6 : where.y - node.offsetHeight;
  const below = box ? box.bottom + 6 : where.y;
  const fits = below + node.offsetHeight <= window.innerHeight - 8;
  const top =
    fits || above < 8 ? Math.min(below, window.innerHeight - node.offsetHeight - 8) : above;
  node.style.left = `${Math.max(8, Math.min(x, window.innerWidth - node.offsetWidth - 8))}px`;
  node.style.top = `${Math.max(8, top)}px`;
}

/**
 * A menu at the pointer opens while the button or finger is still down; left to itself the
 * browser would take the release for a click elsewhere and close it.
 */
function closeByHand(menu) {
  const ended = new AbortController();
  const close = (event) => {
    const isElsewhere = event.type === "pointerdown" && !menu.contains(event.target);
    if (isElsewhere || event.key === "Escape") menu.hidePopover();
  };
  document.addEventListener("pointerdown", close, { capture: true, signal: ended.signal });
  document.addEventListener("keydown", close, { signal: ended.signal });
  menu.addEventListener("toggle", (event) => event.newState === "closed" && ended.abort());
}

function moveFocus(event, menu) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...menu.querySelectorAll("button")];
  const next = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
  buttons[next].focus();
}

/** The slim line on top while the server is away; null takes it away. */
export function banner(text) {
  const node = document.getElementById("banner");
  node.hidden = text === null;
  node.textContent = text ?? "";
}
