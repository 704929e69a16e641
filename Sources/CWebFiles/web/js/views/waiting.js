// What is on its way to the server.

import { fill, h, icon } from "../dom.js";
import { bytes, t } from "../words.js";

/**
 * @typedef {import("../queue.js").SendQueue} SendQueue
 * @typedef {import("../queue.js").Outgoing} Outgoing
 */

/**
 * @param {SendQueue} queue
 * @param {Outgoing} one
 */
export function waitingBubble(queue, one) {
  return h("li", { class: "mine waiting" },
    one.subject && h("h3", {}, one.subject),
    h("p", { class: "text", dir: "auto" }, one.text),
    one.links.map((link) => h("p", { class: "hint" }, link.name)),
    progress(queue, one));
}

/**
 * How far it has come, and what one can do about it.
 * @param {SendQueue} queue
 * @param {Outgoing} one
 */
export function progress(queue, one) {
  const isUploading = one.attachments.length > 0 && !one.problem;
  return [
    ...one.attachments.map((part) =>
      h("label", { class: "progress" }, h("span", {}, share(part)), h("progress", { max: part.blob.size, value: part.sent }))),
    one.problem
      ? h("p", { class: "problem", role: "alert" }, one.problem)
      : h("p", { class: "state hint" }, icon(one.isHeld ? "pause" : "clock"), " ", t(one.isHeld ? "held" : "waiting")),
    h("div", { class: "row" },
      one.problem && h("button", { onclick: () => queue.retry(one.id) }, t("retry")),
      one.isHeld && h("button", { onclick: () => queue.retry(one.id) }, t("goOn")),
      isUploading && !one.isHeld && h("button", { onclick: () => queue.hold(one.id) }, t("hold")),
      h("button", { class: "quiet", onclick: () => queue.drop(one.id) }, t("cancel"))),
  ];
}

/** A list of what waits, drawn anew only when an entry comes, goes or stops. */
export class WaitingList {
  /**
   * @param {string} className
   * @param {(one: Outgoing) => HTMLElement} draw
   */
  constructor(className, draw) {
    this.root = h("ul", { class: className });
    this.entry = draw;
    this.drawn = "";
  }

  /** @param {Outgoing[]} entries */
  set(entries) {
    const state = entries.map((one) => `${one.id} ${one.isHeld} ${one.problem}`).join();
    if (state !== this.drawn) {
      this.drawn = state;
      fill(this.root, entries.map(this.entry));
    }
    entries.forEach((one, index) => advance(this.root.children[index], one));
  }
}

/**
 * Moves the bars on, and leaves everything else: a button that is pressed stays the same button.
 * @param {Element | undefined} element
 * @param {Outgoing} one
 */
export function advance(element, one) {
  element?.querySelectorAll(".progress").forEach((label, index) => {
    const part = one.attachments[index];
    const [said, bar] = label.children;
    said.textContent = share(part);
    /** @type {HTMLProgressElement} */ (bar).value = part.sent;
  });
}

/** @param {import("../queue.js").Attachment} part */
function share(part) {
  const percent = Math.floor((100 * part.sent) / Math.max(1, part.blob.size));
  return t("sendingPart", { name: part.name, percent, size: bytes(part.blob.size) });
}
