// Conversations on one side, the chosen one on the other.

import { fill, h, icon } from "../dom.js";
import { t } from "../words.js";
import { composer } from "./compose.js";
import { ConversationList } from "./conversations.js";
import { LiveList } from "./livelist.js";
import { Search } from "./search.js";
import { Thread } from "./thread.js";
import { waitingBubble, WaitingList } from "./waiting.js";

export class Messages {
  /** @param {import("../device.js").Device} device */
  constructor(device) {
    this.device = device;
    this.list = new ConversationList(device);
    this.search = new Search(device, this.list.root);
    this.begun = h("span", { class: "count" }, t("draft"));
    // A new message has no conversation before the server has it: one sees here that it waits, or why it failed.
    this.outbox = new WaitingList("outbox", (one) => waitingBubble(device.queue, one));
    this.outbox.root.setAttribute("aria-label", t("outbox"));
    this.live = new LiveList(device);
    this.place = h("section", { class: "thread" });
    this.root = h("div", { class: "messages" },
      h("section", { class: "side", "aria-label": t("messages") },
        h("a", { class: "button primary", href: "#/messages/new" }, icon("write"), t("newMessage"), this.begun),
        this.search.root, this.live.root, this.outbox.root, this.search.results, this.list.root),
      this.place);
    /** @type {Thread | null} */
    this.thread = null;
    this.isDue = false;
    for (const name of ["mailbox", "queue", "drafts"]) device.addEventListener(name, () => this.soon());
    document.addEventListener("visibilitychange", () => this.thread?.markSoon());
  }

  /**
   * @param {Element} place
   * @param {string[]} path a conversation's id and a message's, "new", or nothing
   */
  show(place, [chosen = "", ...rest]) {
    if (!this.root.isConnected) fill(place, this.root);
    this.root.classList.toggle("open", chosen !== "");
    this.list.chosen = chosen;
    this.draw();
    if (this.thread && this.thread.id === chosen && this.place.contains(this.thread.bubbles)) {
      if (rest[0]) this.thread.reveal(rest[0]);
      return;
    }
    this.thread = null;
    if (chosen === "") fill(this.place, h("p", { class: "empty" }, t("chooseConversation")));
    else if (chosen === "new") this.write(rest);
    else this.open(chosen, rest[0]);
  }

  /** @param {string[]} forward "forward" and a message's id, or nothing */
  write([what, id]) {
    const message = what === "forward" ? this.device.conversations.messages.get(id)?.message : undefined;
    fill(this.place,
      h("header", {}, backLink(), h("h2", {}, message ? t("forward") : t("newMessage"))),
      composer(this.device, {
        forward: message,
        onsent: () => { location.hash = "#/messages"; },
      }));
    /** @type {HTMLElement | null} */ (this.place.querySelector("input[name=to]"))?.focus();
  }

  /**
   * @param {string} id
   * @param {string | undefined} message
   */
  async open(id, message) {
    if (message && !this.device.conversations.messages.has(message)) {
      // What the rules kept from this device is fetched when one asks for it.
      await this.device.fetchWhole(message).catch(() => {});
    }
    this.thread = new Thread(this.device, id, backLink());
    this.thread.show(this.place, message);
  }

  /** Many changes in one frame are drawn once. */
  soon() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      if (!this.root.isConnected) return;
      this.draw();
      this.thread?.draw();
    });
  }

  draw() {
    this.begun.hidden = !this.device.drafts.byPlace.has("new");
    this.outbox.set(this.device.queue.entries.filter((one) => !one.conversation));
    this.list.draw();
  }
}

function backLink() {
  return h("a", { class: "back", href: "#/messages", "aria-label": t("back") }, icon("back"));
}
