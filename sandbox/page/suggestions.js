/** The list above the composer: commands after "/", inline results after "@bot". */

import { keepSent, start } from "./actions.js";
import { answerTo } from "./answers.js";
import { fileAddress, post } from "./api.js";
import { icon, make } from "./dom.js";
import { attempt } from "./notices.js";
import { chat, state } from "./store.js";

const DEBOUNCE_MS = 300;
const WAIT_S = 10;

/** Where a result of each kind names its file. */
const FILE_FIELDS = {
  photo: "photo_file_id",
  gif: "gif_file_id",
  mpeg4_gif: "mpeg4_file_id",
  video: "video_file_id",
  document: "document_file_id",
  sticker: "sticker_file_id",
};

/** What a suggestion does: `accept` is called with the text to put or send. */
export class Suggestions {
  /** @param {{choose: (command: object) => void, clear: () => void}} composer */
  constructor(composer) {
    this.composer = composer;
    this.node = make("div", {
      class: "suggestions",
      hidden: true,
      data: { testid: "suggestions" },
    });
    this.items = [];
    this.active = 0;
    this.timer = 0;
    this.query = null;
  }

  get isOpen() {
    return !this.node.hidden;
  }

  close() {
    clearTimeout(this.timer);
    this.query = null;
    this.node.hidden = true;
    this.node.replaceChildren();
    this.items = [];
  }

  /** Looks at what is being typed. */
  typed(text) {
    const command = /^\/([\w]*)$/u.exec(text);
    const name = state.bot.username ?? "";
    const inline = text.toLowerCase().startsWith(`@${name.toLowerCase()} `)
      ? text.slice(name.length + 2)
      : null;
    if (command) this.showCommands(command[1].toLowerCase());
    else if (inline !== null) this.askInline(inline);
    else if (this.isOpen || this.query !== null) this.close();
  }

  /** @param {string} beginning Only commands that begin so. */
  showCommands(beginning = "") {
    clearTimeout(this.timer);
    this.query = null;
    const fitting = state.commands.filter((one) => one.command.startsWith(beginning));
    if (fitting.length === 0 && beginning) {
      this.close();
      return;
    }
    this.items = fitting.map((command) => ({
      run: () => this.composer.choose(command),
      node: this.option("command-item", [
        make("b", {}, `/${command.command}`),
        make("span", { dir: "auto" }, command.description),
      ]),
    }));
    const none = make("p", { class: "none" }, "The bot has set no commands here.");
    this.show(this.items.length ? this.items.map((item) => item.node) : [none], "list");
  }

  option(kind, children) {
    const node = make("button", { type: "button", class: kind, role: "option" }, ...children);
    node.addEventListener("click", () => this.items.find((item) => item.node === node)?.run());
    // The text field keeps the focus, so that one can type on.
    node.addEventListener("mousedown", (event) => event.preventDefault());
    return node;
  }

  show(children, look) {
    this.node.replaceChildren(...children);
    this.node.className = `suggestions ${look}`;
    this.node.setAttribute("role", "listbox");
    this.node.hidden = false;
    this.mark(0);
  }

  mark(index) {
    this.active = index;
    this.items.forEach((item, at) => {
      item.node.classList.toggle("active", at === index);
      item.node.setAttribute("aria-selected", String(at === index));
    });
    this.items[index]?.node.scrollIntoView({ block: "nearest" });
  }

  /** Takes the keys that steer the list. @returns {boolean} whether the key was taken */
  key(event) {
    if (!this.isOpen) return false;
    if (event.key === "Escape") {
      this.close();
      return true;
    }
    if (this.items.length === 0) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.mark((this.active + step + this.items.length) % this.items.length);
      return true;
    }
    if (event.key === "Enter" || event.key === "Tab") {
      this.items[this.active].run();
      return true;
    }
    return false;
  }

  askInline(query) {
    if (query === this.query) return;
    clearTimeout(this.timer);
    this.query = query;
    this.timer = setTimeout(() => this.fetchInline(query, ""), DEBOUNCE_MS);
  }

  async fetchInline(query, offset) {
    const body = { user_id: state.personId, chat_id: chat()?.id, query, offset, wait_s: 0 };
    if (!offset) this.busy();
    const asked = await attempt(() => post("/sim/inline", body));
    const isLost = !asked || asked.reason;
    const answer = isLost
      ? null
      : (asked.answer ?? (await answerTo(asked.inline_query_id, WAIT_S)));
    if (query !== this.query) return;
    if (answer) {
      this.showResults(asked.inline_query_id, answer, offset !== "");
      return;
    }
    const why = asked?.reason ?? "the bot has not answered this inline query";
    this.items = [];
    this.show([make("p", { class: "none" }, `${why[0].toUpperCase()}${why.slice(1)}.`)], "list");
  }

  busy() {
    this.items = [];
    this.show([make("p", { class: "none waiting-line" }, "Asking the bot…")], "list");
  }

  showResults(queryId, answer, more) {
    const { results, button, next_offset: nextOffset } = answer;
    const fresh = results.map((result) => this.resultItem(queryId, result));
    this.items = more ? [...this.items, ...fresh] : fresh;
    const grid = this.items.length > 0 && this.items.every((item) => item.pictured);
    const children = [];
    if (button) {
      const open = () => {
        this.composer.clear();
        start(button.start_parameter ?? "");
      };
      children.push(
        make(
          "button",
          { type: "button", class: "inline-button", on: { click: open } },
          button.text,
        ),
      );
    }
    children.push(...this.items.map((item) => item.node));
    if (this.items.length === 0) children.push(make("p", { class: "none" }, "No results."));
    if (nextOffset) {
      const query = this.query;
      const go = () => this.fetchInline(query, nextOffset);
      children.push(
        make("button", { type: "button", class: "inline-button", on: { click: go } }, "More"),
      );
    }
    this.show(children, grid ? "grid" : "list");
  }

  resultItem(queryId, result) {
    const kind = Object.keys(FILE_FIELDS).find((one) => result[FILE_FIELDS[one]]);
    const fileId = result[FILE_FIELDS[kind]];
    const pictured = Boolean(kind) && kind !== "document";
    const name = result.title ?? result.caption;
    const title = make("b", { dir: "auto" }, name ?? (kind ? kind.replace("_", " ") : result.type));
    const description = result.description
      ? make("span", { dir: "auto" }, result.description)
      : null;
    const children = pictured
      ? [pictureOf(kind, fileId), name ? title : null]
      : [tileOf(result), make("span", { class: "result-words" }, title, description)];
    const node = this.option(pictured ? "result-picture" : "result-item", children);
    return { node, pictured, run: () => this.choose(queryId, result) };
  }

  async choose(queryId, result) {
    const body = {
      user_id: state.personId,
      chat_id: state.chatId,
      inline_query_id: queryId,
      result_id: result.id,
      thread_id: state.threadId,
    };
    this.composer.clear();
    const sent = await attempt(() => post("/sim/chosen", body));
    if (sent) keepSent(sent);
  }
}

function pictureOf(kind, fileId) {
  const source = fileAddress(fileId);
  if (kind === "photo" || kind === "sticker") return make("img", { src: source, alt: "" });
  return make("video", { src: source, autoplay: true, loop: true, muted: true, playsinline: true });
}

const tileOf = (result) =>
  make(
    "span",
    { class: "result-tile" },
    result.type === "document" ? icon("file") : [...(result.title ?? "?")][0],
  );
