// Conversations on one side, the chosen one on the other.

import { append, fill, h, icon } from "../dom.js";
import { plainAddress, shortTime, t } from "../words.js";
import { composer } from "./compose.js";
import { bubble } from "./message.js";

/**
 * @typedef {import("../contract.js").Item} Item
 * @typedef {{id: string, messages: Item[], unread: number, newest: Item}} Conversation
 */

/** At first so many messages of a conversation are drawn; more as one scrolls up. */
const pageOfThread = 60;

export class Messages {
  /** @param {import("../device.js").Device} device */
  constructor(device) {
    this.device = device;
    this.list = h("ul", { class: "conversations" });
    this.thread = h("section", { class: "thread", "aria-live": "off" });
    this.root = h("div", { class: "messages" },
      h("section", { class: "side", "aria-label": t("messages") },
        h("a", { class: "button primary", href: "#/messages/new" }, icon("write"), t("newMessage")), this.list),
      this.thread);
    this.chosen = "";
    this.shownCount = pageOfThread;
    this.isAtEnd = true;
    this.isDue = false;
    device.addEventListener("mailbox", () => this.soon());
    device.addEventListener("queue", () => this.soon());
  }

  /**
   * @param {Element} place
   * @param {string} chosen a conversation's id, "new", or nothing
   */
  show(place, chosen) {
    if (chosen !== this.chosen) this.shownCount = pageOfThread;
    this.chosen = chosen;
    if (!this.root.isConnected) fill(place, this.root);
    this.root.classList.toggle("open", chosen !== "");
    this.drawList();
    this.openThread();
  }

  /** Many changes in one frame are drawn once. */
  soon() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      if (!this.root.isConnected) return;
      this.drawList();
      this.drawMessages();
    });
  }

  /** @returns {Conversation[]} newest first */
  conversations() {
    /** @type {Map<string, Conversation>} */
    const found = new Map();
    for (const item of this.device.messages) {
      const id = item.conversation ?? item.id;
      const one = found.get(id) ?? { id, messages: [], unread: 0, newest: item };
      one.messages.push(item);
      if (item.boxes?.includes("inbox") && !item.read) one.unread += 1;
      found.set(id, one);
    }
    return [...found.values()];
  }

  /**
   * Everybody in it but this person.
   * @param {Conversation} conversation
   */
  others(conversation) {
    const own = new Set(this.device.registration.addresses);
    const people = new Set();
    for (const item of conversation.messages.slice(0, 20)) {
      const content = item.message ?? item.notice;
      if (content && !own.has(content.from)) people.add(content.from);
      for (const address of item.message?.to ?? []) if (!own.has(address)) people.add(address);
    }
    return [...people];
  }

  /** @param {Conversation} conversation */
  title(conversation) {
    return this.others(conversation).map(plainAddress).join(", ") || t("you");
  }

  drawList() {
    const conversations = this.conversations();
    fill(this.list, conversations.length === 0
      ? h("li", { class: "empty" }, t("noMessages"))
      : conversations.map((one) => {
        const { message, notice } = one.newest;
        const text = message?.subject ?? notice?.subject ?? message?.parts.find((part) => part.text)?.text ?? "";
        const date = (message ?? notice)?.date;
        return h("li", {},
          h("a", {
            href: `#/messages/${encodeURIComponent(one.id)}`,
            "aria-current": one.id === this.chosen ? "true" : undefined,
            class: one.unread > 0 ? "unread" : undefined,
          },
          h("strong", {}, this.title(one)),
          date && h("time", { datetime: date }, shortTime(date)),
          h("span", { class: "line" }, text.slice(0, 120)),
          one.unread > 0 && h("span", { class: "count", "aria-label": t("unreadCount", { count: one.unread }) }, one.unread)));
      }));
  }

  openThread() {
    if (this.chosen === "") {
      fill(this.thread, h("p", { class: "empty" }, t("chooseConversation")));
      return;
    }
    const back = h("a", { class: "back", href: "#/messages", "aria-label": t("back") }, icon("back"));
    if (this.chosen === "new") {
      fill(this.thread, h("header", {}, back, h("h2", {}, t("newMessage"))),
        composer(this.device, { onsent: () => { location.hash = "#/messages"; } }));
      return;
    }
    const conversation = this.conversations().find((one) => one.id === this.chosen);
    this.bubbles = h("ol", { class: "bubbles" });
    this.bubbles.addEventListener("scroll", () => this.scrolled());
    // A picture takes its height when it comes.
    this.bubbles.addEventListener("load", () => this.keepEnd(), true);
    this.isAtEnd = true;
    fill(this.thread,
      h("header", {}, back, h("h2", {}, conversation ? this.title(conversation) : "")),
      this.bubbles,
      conversation && composer(this.device, { to: this.others(conversation), conversation: conversation.id }));
    this.drawMessages();
  }

  /** Whoever reads the newest goes on doing so. */
  keepEnd() {
    if (this.bubbles && this.isAtEnd) this.bubbles.scrollTop = this.bubbles.scrollHeight;
  }

  drawMessages() {
    const { bubbles } = this;
    if (this.chosen === "" || this.chosen === "new" || !bubbles) return;
    const conversation = this.conversations().find((one) => one.id === this.chosen);
    const shown = (conversation?.messages ?? []).slice(0, this.shownCount).reverse();
    const waiting = this.device.queue.drafts.filter((draft) => draft.conversation === this.chosen);
    const focused = document.activeElement?.closest("[data-message]")?.getAttribute("data-message");
    fill(bubbles);
    append(bubbles, [
      ...shown.map((item) => bubble(this.device, item)),
      ...waiting.map((draft) => waitingBubble(this.device, draft)),
    ]);
    if (focused) {
      /** @type {HTMLElement | null} */ (bubbles.querySelector(`[data-message="${CSS.escape(focused)}"]`))?.focus();
    }
    this.keepEnd();
    this.markShown(shown);
  }

  scrolled() {
    const { bubbles } = this;
    if (!bubbles) return;
    this.isAtEnd = bubbles.scrollHeight - bubbles.scrollTop - bubbles.clientHeight < 40;
    if (bubbles.scrollTop > 200) return;
    const conversation = this.conversations().find((one) => one.id === this.chosen);
    if (!conversation || conversation.messages.length <= this.shownCount) return;
    const fromEnd = bubbles.scrollHeight - bubbles.scrollTop;
    this.shownCount += pageOfThread;
    this.drawMessages();
    bubbles.scrollTop = bubbles.scrollHeight - fromEnd;
  }

  /**
   * What is on the screen, whole, is read.
   * @param {Item[]} shown
   */
  markShown(shown) {
    if (document.hidden) return;
    const unread = shown.filter((item) => item.message && !item.read && item.boxes?.includes("inbox"));
    this.device.markRead(unread.map((item) => item.id)).catch(() => {});
  }
}

/**
 * @param {import("../device.js").Device} device
 * @param {import("../queue.js").Draft} draft
 */
function waitingBubble(device, draft) {
  return h("li", { class: "mine waiting" },
    draft.subject && h("h3", {}, draft.subject),
    h("p", {}, draft.text),
    draft.attachments.map((one) =>
      h("label", { class: "progress" },
        t("sendingPart", { name: one.name, percent: Math.round((100 * one.sent) / Math.max(1, one.blob.size)) }),
        h("progress", { max: one.blob.size, value: one.sent }))),
    draft.problem
      ? h("p", { class: "problem", role: "alert" }, draft.problem,
        h("button", { onclick: () => device.queue.retry(draft.id) }, t("retry")))
      : h("p", { class: "state" }, icon("clock"), t("waiting")),
    h("button", { class: "quiet", onclick: () => device.queue.drop(draft.id) }, t("cancel")));
}
