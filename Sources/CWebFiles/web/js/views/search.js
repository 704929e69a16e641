// Search through all messages, on the server: it reads those too that this device does not hold.

import { fill, h, icon } from "../dom.js";
import { longTime, plainAddress, shortTime, t } from "../words.js";

/** After the last key one waits so long, milliseconds. */
const pause = 250;
const snippetLength = 120;

/** @typedef {import("../contract.js").Item} Item */

export class Search {
  /**
   * @param {import("../device.js").Device} device
   * @param {HTMLElement} instead what the results stand in for
   */
  constructor(device, instead) {
    this.device = device;
    this.instead = instead;
    this.timer = 0;
    this.input = h("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), autocomplete: "off" });
    this.root = h("form", { class: "search", role: "search" }, icon("search"), this.input);
    this.list = h("ul", { class: "found-messages" });
    this.state = h("p", { class: "empty", role: "status" });
    this.more = h("button", { hidden: true }, t("moreResults"));
    this.results = h("div", { class: "results", hidden: true }, this.state, this.list, this.more);
    this.input.oninput = () => {
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.run(), pause);
    };
    this.root.onsubmit = (event) => {
      event.preventDefault();
      clearTimeout(this.timer);
      this.run();
    };
    this.input.onkeydown = (event) => {
      if (event.key !== "Escape" || this.input.value === "") return;
      event.preventDefault();
      this.input.value = "";
      this.run();
    };
  }

  async run() {
    const query = this.input.value.trim();
    this.results.hidden = query === "";
    this.instead.hidden = query !== "";
    fill(this.list);
    fill(this.state);
    if (query !== "") await this.page(query, null);
  }

  /**
   * @param {string} query
   * @param {number | null} before
   */
  async page(query, before) {
    this.more.hidden = true;
    try {
      const from = before === null ? "" : `&before=${before}`;
      /** @type {{items: Item[], next?: number}} */
      const { items, next } = await this.device.api.json("GET", `/v1/search?limit=50&q=${encodeURIComponent(query)}${from}`);
      // An answer to what one has stopped asking.
      if (this.input.value.trim() !== query) return;
      const words = query.toLocaleLowerCase().split(/\s+/);
      this.list.append(...items.map((item) => row(item, words)));
      const count = this.list.childElementCount;
      fill(this.state, count === 0 ? t("nothingFound") : t("found", { count }));
      this.more.hidden = next === undefined;
      this.more.onclick = () => this.page(query, next ?? null);
    } catch (error) {
      fill(this.state, error instanceof TypeError ? t("searchNeedsConnection") : error instanceof Error ? error.message : String(error));
    }
  }
}

/**
 * @param {Item} item
 * @param {string[]} words
 */
function row(item, words) {
  const content = item.message ?? item.notice;
  const conversation = item.conversation ?? item.id;
  const text = item.message?.parts.find((part) => part.text)?.text ?? "";
  const names = item.message?.parts.flatMap((part) => part.name ?? []).join(", ") ?? "";
  const whole = [content?.subject, text, names].filter(Boolean).join(" · ");
  return h("li", {},
    h("a", { href: `#/messages/${encodeURIComponent(conversation)}/${encodeURIComponent(item.id)}` },
      h("strong", {}, plainAddress(content?.from ?? "")),
      content && h("time", { datetime: content.date, title: longTime(content.date) }, shortTime(content.date)),
      h("span", { class: "line wrap" }, marked(whole, words))));
}

/**
 * The surroundings of the first word, with every word marked.
 * @param {string} text
 * @param {string[]} words
 */
function marked(text, words) {
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|")})`, "giu");
  const first = Math.max(0, text.search(pattern) - 30);
  const snippet = (first > 0 ? "…" : "") + text.slice(first, first + snippetLength);
  return snippet.split(pattern).map((piece, index) => (index % 2 === 1 ? h("mark", {}, piece) : piece));
}
