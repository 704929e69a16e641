// Conversations on one side, the chosen one on the other.

import { fill, h, icon } from "../dom.js";
import { t } from "../words.js";
import { BoxList } from "./boxes.js";
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
    this.boxes = /** @type {const} */ ([["conversations", this.list], ["inbox", new BoxList(device, "inbox")], ["sent", new BoxList(device, "sent")]]);
    this.choices = h("div", { class: "boxes", role: "group", "aria-label": t("view") }, this.boxes.map(([name]) =>
      h("button", { class: "chip", "aria-pressed": name === "conversations" ? "true" : "false", "data-box": name, onclick: () => this.turn(name) },
        t(`box.${name}`))));
    this.lists = h("div", { class: "lists" }, this.choices, this.boxes.map(([, list]) => list.root));
    this.search = new Search(device, this.lists);
    this.begun = h("span", { class: "count" }, t("draft"));
    // A new message has no conversation before the server has it: one sees here that it waits, or why it failed.
    this.outbox = new WaitingList("outbox", (one) => waitingBubble(device.queue, one));
    this.outbox.root.setAttribute("aria-label", t("outbox"));
    this.live = new LiveList(device);
    this.place = h("section", { class: "thread" });
    this.root = h("div", { class: "messages" },
      h("section", { class: "side", "aria-label": t("messages") },
        h("a", { class: "button primary", href: "#/messages/new" }, icon("write"), t("newMessage"), this.begun),
        this.search.root, this.live.root, this.outbox.root, this.search.results, this.lists),
      this.place);
    /** @type {Thread | null} */
    this.thread = null;
    this.isDue = false;
    this.asked = 0;
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
    if (this.thread && this.thread.id === chosen) {
      // While another page was shown it stood still.
      this.thread.draw();
      if (rest[0]) this.thread.reveal(rest[0]);
      return;
    }
    this.asked += 1;
    this.thread?.close();
    this.thread = null;
    fill(this.place);
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
    const turn = this.asked;
    if (message && !this.device.conversations.messages.has(message)) {
      // What the rules kept from this device is fetched when one asks for it.
      await this.device.fetchWhole(message).catch(() => {});
      // Whoever has gone on meanwhile stays there.
      if (turn !== this.asked) return;
    }
    this.thread = new Thread(this.device, id, backLink());
    this.thread.show(this.place, message);
  }

  /** @param {string} chosen which of the lists is shown */
  turn(chosen) {
    for (const [name, list] of this.boxes) list.root.hidden = name !== chosen;
    for (const one of this.choices.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one.dataset.box === chosen));
    this.draw();
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
    for (const [, list] of this.boxes) list.draw();
  }
}

function backLink() {
  return h("a", { class: "back", href: "#/messages", "aria-label": t("back") }, icon("back"));
}
