// The list of conversations, newest first.

import { fill, h, icon } from "../dom.js";
import { settings } from "../preferences.js";
import { VirtualList } from "../virtual.js";
import { plainAddress, shortTime, t } from "../words.js";
import { step } from "./boxes.js";

/**
 * @typedef {import("../conversations.js").Conversation} Conversation
 * @typedef {import("../device.js").Device} Device
 */

export class ConversationList {
  /** @param {Device} device */
  constructor(device) {
    this.device = device;
    this.chosen = "";
    /** @type {Set<string>} */
    this.muted = new Set();
    this.list = h("ul", { class: "conversations virtual", onkeydown: step });
    this.empty = h("p", { class: "empty" }, t("noMessages"));
    this.root = h("div", { class: "conversation-list" }, this.list);
    /** @type {VirtualList<Conversation>} */
    this.rows = new VirtualList(this.list, {
      guess: 64,
      gap: 0,
      key: (one) => one.id,
      version: (one) => `${one.version} ${one.id === this.chosen} ${this.muted.has(one.id)} ${device.drafts.byPlace.has(one.id)}`,
      draw: (one) => this.row(one),
    });
  }

  draw() {
    if (this.root.hidden) return;
    const { all } = this.device.conversations;
    this.muted = new Set(settings(this.device).muted);
    if (all.length === 0) fill(this.list, h("li", { class: "empty" }, t("noMessages")));
    else this.list.querySelector(".empty")?.remove();
    this.rows.set(all);
  }

  /** @param {Conversation} one */
  row(one) {
    const { message, notice } = one.newest;
    const text = message?.subject ?? notice?.subject ?? message?.parts.find((part) => part.text)?.text ?? "";
    const date = (message ?? notice)?.date;
    const draft = one.id === this.chosen ? undefined : this.device.drafts.byPlace.get(one.id);
    return h("li", {},
      h("a", {
        href: `#/messages/${encodeURIComponent(one.id)}`,
        "aria-current": one.id === this.chosen ? "true" : undefined,
        class: one.unread > 0 ? "unread" : undefined,
      },
      h("strong", {}, title(this.device, one)),
      date && h("time", { datetime: date }, shortTime(date)),
      h("span", { class: "line" },
        draft ? h("em", {}, `${t("draft")}: `) : null, (draft?.text || draft?.subject || text).slice(0, 120)),
      h("span", { class: "marks" },
        this.muted.has(one.id) && h("span", { role: "img", "aria-label": t("muted") }, icon("mute")),
        one.unread > 0 && h("span", { class: "count", role: "img", "aria-label": t("unreadCount", { count: one.unread }) }, one.unread))));
  }
}

/**
 * Everybody in it but this person.
 * @param {Device} device
 * @param {Conversation} conversation
 */
export function others(device, conversation) {
  const own = new Set(device.registration.addresses);
  const people = new Set();
  for (const item of conversation.messages.slice(-20).reverse()) {
    const content = item.message ?? item.notice;
    if (content && !own.has(content.from)) people.add(content.from);
    for (const address of item.message?.to ?? []) if (!own.has(address)) people.add(address);
  }
  return [...people];
}

/**
 * @param {Device} device
 * @param {Conversation} conversation
 */
export function title(device, conversation) {
  return others(device, conversation).map(plainAddress).join(", ") || t("you");
}
