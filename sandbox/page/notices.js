/** Toasts, dialogs, menus and the banner. */

import { icon, make } from "./dom.js";

const TOAST_MS = 4000;

/** Shows a sentence for some seconds. @param {"info"|"error"} kind */
export function toast(text, kind = "info") {
  const node = make("div", { class: `toast ${kind}`, data: { testid: "toast" } }, text);
  node.addEventListener("click", () => node.remove());
  document.getElementById("toasts").append(node);
  // Long sentences stay as long as they take to read.
  setTimeout(() => node.remove(), Math.max(TOAST_MS, text.length * 55));
}

/** Runs a request, and shows the server's sentence if it fails. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message, "error");
    return null;
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser did not let the page copy.", "error");
  }
}

function dialog(title, testid, ...children) {
  const attributes = { class: "dialog", "aria-label": title, data: { testid } };
  const node = make("dialog", attributes, make("h2", {}, title), ...children);
  node.addEventListener("close", () => node.remove());
  document.body.append(node);
  node.showModal();
  return node;
}

/** Shows a text until OK is pressed, as bots ask for with `show_alert`. */
export function alertDialog(title, text) {
  const ok = make("button", { class: "primary", data: { testid: "alert-ok" } }, "OK");
  const form = make("form", { method: "dialog", class: "dialog-foot" }, ok);
  dialog(title, "alert", make("p", { dir: "auto" }, text), form);
}

/**
 * Asks for one line of text, or only for confirmation.
 *
 * @param {{title: string, text?: string, label?: string, yes: string}} question
 * @returns {Promise<string|null>} the text, empty for a confirmation; null when cancelled
 */
export function ask({ title, text, label, yes }) {
  return new Promise((resolve) => {
    const input = label
      ? make("input", { type: "text", "aria-label": label, placeholder: label, required: true })
      : null;
    const foot = make(
      "div",
      { class: "dialog-foot" },
      make("button", { type: "button", on: { click: () => node.close() } }, "Cancel"),
      make("button", { class: "primary", value: "yes" }, yes),
    );
    const form = make("form", { method: "dialog" }, input, foot);
    const node = dialog(title, "question", text ? make("p", {}, text) : null, form);
    node.addEventListener("close", () =>
      resolve(node.returnValue === "yes" ? (input?.value.trim() ?? "") : null),
    );
  });
}

/**
 * Opens a menu at a button; Escape and a click elsewhere close it.
 *
 * @param {Array<{label: string, icon: string, run: () => void}>} items
 * @param {Element} anchor
 */
export function openMenu(items, anchor) {
  const node = make("div", { class: "menu", role: "menu", popover: "auto" });
  for (const item of items) {
    const run = () => {
      node.hidePopover();
      item.run();
    };
    const attributes = { type: "button", role: "menuitem", on: { click: run } };
    node.append(make("button", attributes, icon(item.icon), item.label));
  }
  node.addEventListener("toggle", (event) => event.newState === "closed" && node.remove());
  document.body.append(node);
  node.showPopover();
  const { left, top, bottom } = anchor.getBoundingClientRect();
  const fits = bottom + node.offsetHeight + 14 <= window.innerHeight;
  const furthest = window.innerWidth - node.offsetWidth - 8;
  node.style.left = `${Math.max(8, Math.min(left, furthest))}px`;
  const lowest = window.innerHeight - node.offsetHeight - 8;
  const above = top - node.offsetHeight - 6;
  node.style.top = `${Math.max(8, fits ? bottom + 6 : Math.min(above, lowest))}px`;
  node.firstChild.focus({ preventScroll: true });
}

/** Shows a line at the top while the server is away; null hides it. */
export function banner(text) {
  const node = document.getElementById("banner");
  node.hidden = text === null;
  node.textContent = text ?? "";
}
