// One conversation: its messages, and the line below them.

import { fill, h, icon } from "../dom.js";
import { isUnread } from "../conversations.js";
import { mute, settings } from "../preferences.js";
import { VirtualList } from "../virtual.js";
import { plainAddress, t } from "../words.js";
import { composer } from "./compose.js";
import { others, title } from "./conversations.js";
import { LivePanel } from "./live.js";
import { bubble } from "./message.js";
import { advance, waitingBubble } from "./waiting.js";

/**
 * @typedef {import("../contract.js").Item} Item
 * @typedef {{item: Item} | {waiting: import("../queue.js").Outgoing}} Entry
 */

/** Milliseconds that a message stays in sight before it counts as read. */
const restOnScreen = 200;

export class Thread {
  /**
   * @param {import("../device.js").Device} device
   * @param {string} id
   * @param {Element} back
   */
  constructor(device, id, back) {
    this.device = device;
    this.timer = 0;
    this.id = id;
    this.back = back;
    /** @type {Set<string>} Asked to be marked as read, and not answered yet. */
    this.marking = new Set();
    this.bubbles = h("ol", { class: "bubbles virtual" });
    /** @type {VirtualList<Entry>} */
    this.list = new VirtualList(this.bubbles, {
      guess: 100,
      gap: 10,
      keepsEnd: true,
      key: (entry) => ("item" in entry ? entry.item.id : `waiting ${entry.waiting.id}`),
      version: (entry) => ("item" in entry ? entry.item : `${entry.waiting.isHeld ?? false} ${entry.waiting.problem ?? ""}`),
      draw: (entry) => ("item" in entry
        ? bubble(device, entry.item, {
          reply: () => this.line?.reply(entry.item), attempt: (action) => this.live.try(action),
        })
        : waitingBubble(device.queue, entry.waiting)),
      drawn: () => this.markSoon(),
    });
    this.heading = h("h2", {});
    this.quiet = h("button", { class: "quiet", onclick: () => this.live.try(() => mute(device, id, !this.isMuted)) });
    this.talk = h("span", { class: "row talk" }, this.talkButton("talk", "talk", []),
      this.talkButton("phone", "talkVoice", ["audio"]), this.talkButton("film", "talkVideo", ["audio", "video"]));
    this.live = new LivePanel(device, () => device.sessions.of(id));
    this.told = () => this.bubbles.isConnected && this.drawLive();
    device.sessions.addEventListener("changed", this.told);
    /** @type {ReturnType<typeof composer> | undefined} */
    this.line = undefined;
  }

  /**
   * @param {Parameters<typeof icon>[0]} drawing
   * @param {"talk" | "talkVoice" | "talkVideo"} name
   * @param {import("../contract.js").MediumKind[]} media
   */
  talkButton(drawing, name, media) {
    const ask = () => this.live.try(() => this.device.sessions.ask(this.people, media));
    return h("button", { class: "quiet", "aria-label": t(name), title: t(name), onclick: ask }, icon(drawing));
  }

  /** Everybody in it but this person. */
  get people() {
    const { conversation } = this;
    const session = this.device.sessions.of(this.id);
    if (session) return this.device.sessions.others(session);
    return conversation ? others(this.device, conversation) : [];
  }

  /** Another one is shown in its place: nothing of this one plays or listens any more. */
  close() {
    clearTimeout(this.timer);
    this.device.sessions.removeEventListener("changed", this.told);
    this.live.close();
  }

  drawLive() {
    this.live.draw();
    this.talk.hidden = this.device.sessions.of(this.id) !== undefined || this.people.length === 0;
  }

  get conversation() {
    return this.device.conversations.byID.get(this.id);
  }

  get isMuted() {
    return settings(this.device).muted.includes(this.id);
  }

  /**
   * @param {Element} place
   * @param {string | undefined} message to be brought into sight
   */
  show(place, message) {
    const { conversation } = this;
    fill(place,
      h("header", {}, this.back, this.heading, this.talk, this.quiet),
      this.live.problem, this.live.root, this.bubbles);
    const firstUnread = conversation?.messages.find(isUnread);
    this.draw();
    if (message) this.reveal(message);
    else if (firstUnread) this.list.reveal(firstUnread.id);
  }

  draw() {
    const { conversation } = this;
    this.heading.textContent = conversation ? title(this.device, conversation) : this.people.map(plainAddress).join(", ");
    this.drawLive();
    this.drawLine();
    const { isMuted } = this;
    fill(this.quiet, icon(isMuted ? "mute" : "bell"));
    this.quiet.setAttribute("aria-label", t("mute"));
    this.quiet.setAttribute("aria-pressed", String(isMuted));
    this.quiet.title = t(isMuted ? "unmute" : "mute");
    const waiting = this.device.queue.entries.filter((one) => one.conversation === this.id);
    this.list.set([
      ...(conversation?.messages ?? []).map((item) => ({ item })),
      ...waiting.map((one) => ({ waiting: one })),
    ]);
    for (const one of waiting) advance(this.list.shown.get(`waiting ${one.id}`)?.element, one);
  }

  /** To whom one writes may be known only later: what was sent from here is a number first, and has its content then. */
  drawLine() {
    const { people } = this;
    if (this.line || people.length === 0) return;
    const here = () => {
      const session = this.device.sessions.of(this.id);
      return this.device.sessions.isHere(session) ? session : undefined;
    };
    this.line = composer(this.device, { to: people, conversation: this.id, live: here });
    this.bubbles.after(this.line);
  }

  /** @param {string} message */
  reveal(message) {
    const element = this.list.reveal(message);
    element?.classList.add("found");
    element?.focus({ preventScroll: true });
  }

  /** What only passes by is not read. */
  markSoon() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.markShown(), restOnScreen);
  }

  /** What is on the screen, whole, is read. */
  markShown() {
    if (document.hidden || !this.bubbles.isConnected) return;
    const sight = this.bubbles.getBoundingClientRect();
    const unread = [...this.list.shown].filter(([id, { element }]) => {
      const item = this.device.conversations.messages.get(id);
      if (!item?.message || !isUnread(item) || this.marking.has(id)) return false;
      const { top, bottom } = element.getBoundingClientRect();
      return bottom > sight.top && top < sight.bottom;
    }).map(([id]) => id);
    if (unread.length === 0) return;
    for (const id of unread) this.marking.add(id);
    this.device.markRead(unread).catch(() => {}).finally(() => unread.forEach((id) => this.marking.delete(id)));
  }
}
