// All that was received, or all that was sent from any device, message by message, newest first.

import { fill, h, icon } from "../dom.js";
import { conversationOf, isUnread } from "../conversations.js";
import { VirtualList } from "../virtual.js";
import { longTime, plainAddress, shortTime, t } from "../words.js";

/**
 * @typedef {import("../contract.js").Item} Item
 * @typedef {import("../device.js").Device} Device
 */

const marks = /** @type {const} */ ({ pending: "check", delivered: "checks", displayed: "checks", failed: "alert" });

export class BoxList {
  /**
   * @param {Device} device
   * @param {"inbox" | "sent"} box
   */
  constructor(device, box) {
    this.device = device;
    this.box = box;
    this.list = h("ul", { class: `box-list virtual ${box}`, onkeydown: step });
    this.root = h("div", { class: "one-box", hidden: true }, this.list);
    /** @type {VirtualList<Item>} */
    this.rows = new VirtualList(this.list, {
      guess: 64,
      gap: 0,
      key: (item) => item.id,
      version: (item) => item,
      draw: (item) => this.row(item),
    });
  }

  draw() {
    if (this.root.hidden) return;
    const items = [...this.device.conversations.messages.values()].filter((item) => item.boxes?.includes(this.box))
      .sort((one, other) => other.created - one.created);
    if (items.length === 0) fill(this.list, h("li", { class: "empty" }, t("noMessages")));
    else this.list.querySelector(".empty")?.remove();
    this.rows.set(items);
  }

  /** @param {Item} item */
  row(item) {
    const { message, notice } = item;
    const content = message ?? notice;
    const text = content?.subject ?? message?.parts.find((part) => part.text)?.text ?? message?.parts.find((part) => part.name)?.name ?? "";
    const people = this.box === "inbox" ? [content?.from ?? ""] : message?.to ?? [];
    return h("li", {},
      h("a", {
        href: `#/messages/${encodeURIComponent(conversationOf(item))}/${encodeURIComponent(item.id)}`,
        class: this.box === "inbox" && isUnread(item) ? "unread" : undefined,
      },
      h("strong", {}, people.map(plainAddress).join(", ")),
      content && h("time", { datetime: content.date, title: longTime(content.date) }, shortTime(content.date)),
      h("span", { class: "line" }, text.slice(0, 120)),
      this.box === "inbox"
        ? isUnread(item) && h("span", { class: "dot", role: "img", "aria-label": t("unread") })
        : h("span", { class: "marks" }, (item.receivers ?? []).map((one) =>
          h("span", { role: "img", class: one.state, "aria-label": `${plainAddress(one.address)}: ${t(`state.${one.state}`)}`, title: `${plainAddress(one.address)}: ${t(`state.${one.state}`)}` },
            icon(marks[one.state]))))));
  }
}

/**
 * Up and down go from one to the next.
 * @param {KeyboardEvent} event
 */
export function step(event) {
  const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const row = /** @type {Element} */ (event.target).closest("li");
  if (by === 0 || !row) return;
  const next = by > 0 ? row.nextElementSibling : row.previousElementSibling;
  if (!next) return;
  event.preventDefault();
  /** @type {HTMLElement | null} */ (next.querySelector("a"))?.focus();
}
