/** The list above the composer: commands after "/", inline results after "@bot". */

import { keepSent, start } from "./actions.js";
import { answerTo } from "./answers.js";
import { fileAddress, post } from "./api.js";
import { icon, make } from "./dom.js";
import { attempt } from "./notices.js";
import { chat, state } from "./store.js";

const DEBOUNCE_MS = 300;
const WAIT_S = 10;

/** The field with the file id, by the type of result. */
const FILE_FIELDS = {
  photo: "photo_file_id",
  gif: "gif_file_id",
  mpeg4_gif: "mpeg4_file_id",
  video: "video_file_id",
  document: "document_file_id",
  sticker: "sticker_file_id",
};

const note = (text) => make("p", { class: "none" }, text);

export class Suggestions {
  /**
   * @param {{choose: (command: object) => void, clear: () => void}} composer `choose` sends a
   *   command, `clear` empties the text field.
   */
  constructor(composer) {
    this.composer = composer;
    const attributes = { class: "suggestions", role: "listbox", hidden: true };
    this.node = make("div", { ...attributes, data: { testid: "suggestions" } });
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
    this.items = [];
  }

  /** Follows what is typed. */
  typed(text) {
    const command = /^\/([\w]*)$/u.exec(text);
    const prefix = `@${state.bot.username.toLowerCase()} `;
    if (command) this.showCommands(command[1].toLowerCase());
    else if (text.toLowerCase().startsWith(prefix)) this.askInline(text.slice(prefix.length));
    else this.close();
  }

  /** Shows the commands that begin with a text. */
  showCommands(beginning = "") {
    this.close();
    const fitting = state.commands.filter((one) => one.command.startsWith(beginning));
    if (fitting.length === 0 && beginning) return;
    this.items = fitting.map((command) =>
      this.item("command-item", () => this.composer.choose(command), [
        make("b", {}, `/${command.command}`),
        make("span", { dir: "auto" }, command.description),
      ]),
    );
    this.show([], this.items.length ? [] : [note("The bot has set no commands here.")]);
  }

  item(kind, run, children) {
    const node = make("button", { type: "button", class: kind, role: "option" }, ...children);
    node.addEventListener("click", run);
    // The text field keeps the focus.
    node.addEventListener("mousedown", (event) => event.preventDefault());
    return { node, run };
  }

  show(before, after) {
    this.node.replaceChildren(...before, ...this.items.map((item) => item.node), ...after);
    this.node.hidden = false;
    this.mark(0);
  }

  mark(index) {
    this.active = index;
    this.items.forEach(({ node }, at) => node.classList.toggle("active", at === index));
    this.items[index]?.node.scrollIntoView({ block: "nearest" });
  }

  /** Handles the keys that control the list. @returns {boolean} whether the key was handled */
  key(event) {
    if (!this.isOpen) return false;
    if (event.key === "Escape") {
      this.close();
      return true;
    }
    if (this.items.length === 0) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.mark((this.active + step + this.items.length) % this.items.length);
    else if (event.key === "Enter" || event.key === "Tab") this.items[this.active].run();
    else return false;
    return true;
  }

  askInline(query) {
    if (query === this.query) return;
    clearTimeout(this.timer);
    this.query = query;
    this.timer = setTimeout(() => this.fetchInline(query, ""), DEBOUNCE_MS);
  }

  async fetchInline(query, offset) {
    const body = { user_id: state.personId, chat_id: chat()?.id, query, offset, wait_s: 0 };
    if (!offset) {
      this.items = [];
      this.show([], [note("Asking the bot…")]);
    }
    const asked = await attempt(() => post("/sim/inline", body));
    const isLost = !asked || asked.reason;
    const answer = isLost
      ? null
      : (asked.answer ?? (await answerTo(asked.inline_query_id, WAIT_S)));
    if (query !== this.query) return;
    if (answer) this.showResults(asked.inline_query_id, answer, offset !== "");
    else this.show([], [note(asked?.reason ?? "The bot has not answered the inline query.")]);
  }

  showResults(queryId, answer, more) {
    const { results, button, next_offset: nextOffset } = answer;
    const fresh = results.map((result) => this.resultItem(queryId, result));
    this.items = more ? [...this.items, ...fresh] : fresh;
    const open = () => {
      this.composer.clear();
      start(button.start_parameter ?? "");
    };
    const { query } = this;
    const goOn = () => this.fetchInline(query, nextOffset);
    const before = button ? [this.item("inline-button", open, [button.text]).node] : [];
    const after = nextOffset ? [this.item("inline-button", goOn, ["More"]).node] : [];
    if (this.items.length === 0) after.push(note("No results."));
    this.show(before, after);
  }

  resultItem(queryId, result) {
    const run = () => this.choose(queryId, result);
    const name = result.title ?? result.caption ?? result.type.replace("_", " ");
    const words = make(
      "span",
      { class: "result-words" },
      make("b", { dir: "auto" }, name),
      result.description ? make("span", { dir: "auto" }, result.description) : null,
    );
    return this.item("result-item", run, [tileOf(result), words]);
  }

  async choose(queryId, result) {
    const body = {
      user_id: state.personId,
      chat_id: state.chatId,
      inline_query_id: queryId,
      result_id: result.id,
    };
    this.composer.clear();
    const sent = await attempt(() => post("/sim/chosen", body));
    if (sent) keepSent(sent);
  }
}

function tileOf(result) {
  const fileId = result[FILE_FIELDS[result.type]];
  if (!fileId || result.type === "document") {
    return make("span", { class: "result-tile" }, icon("file"));
  }
  const src = fileAddress(fileId);
  if (["photo", "sticker"].includes(result.type)) {
    return make("img", { class: "result-tile", src, alt: "" });
  }
  const playing = { autoplay: true, loop: true, muted: true, playsinline: true };
  return make("video", { class: "result-tile", src, ...playing });
}
