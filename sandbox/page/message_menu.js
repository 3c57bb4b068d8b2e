/** What can be done with a message: by the right button, a long press or the dots beside it. */

import { deleteMessage } from "./actions.js";
import { canEdit } from "./names.js";
import { copy, openMenu, showJson } from "./notices.js";
import { signal, state } from "./store.js";

/** @param {{anchor?: Element, x?: number, y?: number}} where */
export function openMessageMenu(message, where) {
  const text = message.text ?? message.caption;
  const items = [
    { label: "Reply", icon: "reply", testid: "menu-reply", run: () => signal("reply", message) },
    text ? { label: "Copy text", icon: "copy", run: () => copy(text) } : null,
    canEdit(message)
      ? { label: "Edit", icon: "edit", testid: "menu-edit", run: () => signal("edit", message) }
      : null,
    {
      label: "Raw JSON",
      icon: "braces",
      testid: "menu-json",
      run: () => showJson(`Message ${message.message_id}`, message),
    },
    {
      label: "Delete",
      icon: "trash",
      testid: "menu-delete",
      danger: true,
      run: () => deleteMessage(message),
    },
  ];
  openMenu(items.filter(Boolean), where);
}

const LONG_PRESS_MS = 480;
const CONTROLS = "button, a, video, audio, input, textarea, summary";

function messageAt(target) {
  const id = target.closest?.("[data-message-id]")?.dataset.messageId;
  return id ? state.messages.get(state.chatId)?.get(Number(id)) : null;
}

/** Lets the messages inside a container be answered and asked for their menu. */
export function listenForMenus(container) {
  container.addEventListener("contextmenu", (event) => {
    const message = messageAt(event.target);
    // Links and selected text keep the browser's own menu.
    if (!message || event.target.closest("a") || String(window.getSelection())) return;
    event.preventDefault();
    openMessageMenu(message, { x: event.clientX, y: event.clientY });
  });
  container.addEventListener("dblclick", (event) => {
    const message = messageAt(event.target);
    if (!message || event.target.closest(CONTROLS)) return;
    window.getSelection()?.removeAllRanges();
    signal("reply", message);
  });
  listenForLongPress(container);
}

/** Safari on phones sends no contextmenu event for a long press. */
function listenForLongPress(container) {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  container.addEventListener(
    "touchstart",
    (event) => {
      stop();
      const message = messageAt(event.target);
      if (!message || event.touches.length > 1 || event.target.closest(CONTROLS)) return;
      const { clientX: x, clientY: y } = event.touches[0];
      timer = setTimeout(() => {
        if (!document.querySelector(".menu")) openMessageMenu(message, { x, y });
      }, LONG_PRESS_MS);
    },
    { passive: true },
  );
  for (const event of ["touchend", "touchmove", "touchcancel"]) {
    container.addEventListener(event, stop, { passive: true });
  }
}
