// Live conversations of this person, and this device's own part in them.

import { newID } from "./api.js";

/**
 * @typedef {import("./contract.js").Session} Session
 * @typedef {import("./contract.js").Signal} Signal
 * @typedef {import("./device.js").Device} Device
 */

/** Milliseconds between two hints that one types, and how long a hint holds. */
const hintEvery = 2000;
const hintHolds = 4000;

export class Sessions extends EventTarget {
  /** @param {Device} device */
  constructor(device) {
    super();
    this.device = device;
    this.own = device.registration.device;
    /** @type {Set<string>} Steps of this device's legs that are under way or done. */
    this.steps = new Set();
    /** @type {Map<string, {from: string, until: number}>} Who types, by session. */
    this.typers = new Map();
    this.lastHint = 0;
    /** @type {import("./calls.js").Calls | null} */
    this.calls = null;
    /** @type {Signal[]} */
    this.early = [];
    device.addEventListener("mailbox", (event) => {
      const events = /** @type {CustomEvent<import("./mailbox.js").Event[]>} */ (event).detail;
      for (const one of events) {
        // Who has said it does not type it any more.
        const place = one.type === "arrived" ? one.item.message?.session : undefined;
        if (place && one.type !== "relisted" && this.typers.get(place.id)?.from === one.item.message?.from) {
          this.typers.delete(place.id);
          this.tell();
        }
      }
      if (events.some((one) => one.type === "relisted" || one.item.kind === "session")) this.changed();
    });
    device.addEventListener("state", () => {
      if (device.state === "live") this.changed();
      else if (this.isElsewhere) this.calls?.stop();
    });
  }

  /** Whether this page is the device no longer. */
  get isElsewhere() {
    return this.device.state === "replaced" || this.device.state === "revoked";
  }

  /** @returns {Session[]} those that are not over, newest first */
  get all() {
    return /** @type {Session[]} */ (this.device.values("session")).filter((one) => one.state !== "over");
  }

  /**
   * The one of a conversation that goes on, or the last that was asked for.
   * @param {string} conversation
   */
  of(conversation) {
    const some = this.all.filter((one) => one.conversation === conversation);
    return some.find((one) => one.state === "open") ?? some[0];
  }

  /**
   * @param {string} id
   * @returns {Session | undefined}
   */
  get(id) {
    return /** @type {Session | undefined} */ (this.device.value("session", id));
  }

  /**
   * This device's newest leg.
   * @param {Session | undefined} session
   */
  leg(session) {
    return session?.legs.filter((leg) => leg.device === this.own).at(-1);
  }

  /**
   * Whether what is said is this device's own to show.
   * @param {Session | undefined} session
   */
  isHere(session) {
    const state = session?.state === "open" ? this.leg(session)?.state : undefined;
    return state === "live" || state === "replaying";
  }

  /** @param {Session} session */
  others(session) {
    const all = session.participants.length > 0 ? session.participants : [session.creator, ...session.invited];
    return all.filter((one) => one !== session.user);
  }

  // What the person does

  /**
   * @param {string[]} to
   * @param {import("./contract.js").MediumKind[]} media
   * @returns {Promise<Session>}
   */
  ask(to, media) {
    const { api } = this.device;
    return api.json("POST", "/v1/sessions", { id: newID(api.skew), to, media });
  }

  /**
   * @param {Session} session
   * @param {string} what
   * @param {object} [body]
   * @returns {Promise<Session>}
   */
  command(session, what, body = {}) {
    return this.device.api.json("POST", `/v1/sessions/${encodeURIComponent(session.id)}/${what}`, body);
  }

  /**
   * @param {Session} session
   * @param {object} change
   */
  propose(session, change) {
    const now = this.get(session.id) ?? session;
    return this.command(session, "media", { id: newID(this.device.api.skew), revision: now.revision, ...change });
  }

  /** @param {Session} session */
  typing(session) {
    if (Date.now() - this.lastHint < hintEvery) return;
    this.lastHint = Date.now();
    this.device.stream.say({ typing: { session: session.id } });
  }

  /** What was typed is said: the next letter is news. */
  said() {
    this.lastHint = 0;
  }

  // What comes

  /** @param {{typing?: {session: string, from: string}, signal?: Signal}} frame */
  hint({ typing, signal }) {
    if (typing) {
      this.typers.set(typing.session, { from: typing.from, until: Date.now() + hintHolds });
      this.tell();
      setTimeout(() => this.tell(), hintHolds);
    }
    const refused = /** @type {{refused?: string} | undefined} */ (signal?.payload)?.refused;
    if (signal && refused) this.dispatchEvent(new CustomEvent("refused", { detail: { session: signal.session, refused } }));
    else if (signal && this.calls) this.calls.take(signal);
    else if (signal) this.early.push(signal);
  }

  /**
   * Who types in a session now.
   * @param {string} id
   */
  typer(id) {
    const one = this.typers.get(id);
    return one && one.until > Date.now() ? one.from : undefined;
  }

  tell() {
    this.dispatchEvent(new Event("changed"));
  }

  changed() {
    for (const session of this.all) this.follow(session);
    this.media();
    this.tell();
  }

  /**
   * Does what a device does with its own leg.
   * @param {Session} session
   */
  async follow(session) {
    const leg = this.leg(session);
    if (!leg || this.device.state !== "live") return;
    const step = `${session.id} ${leg.generation} ${leg.state === "replaying" ? "preparing" : leg.state}`;
    if (leg.state === "live" || this.steps.has(step)) return;
    this.steps.add(step);
    try {
      if (leg.state === "draining") await this.command(session, "leg", { generation: leg.generation, step: "closed" });
      else await this.join(session, leg.generation);
    } catch (error) {
      // It is tried again with the next connection, as long as the server waits for it.
      this.steps.delete(step);
      console.warn("a conversation could not be joined or left here", error);
    }
  }

  /**
   * Gets ready, and catches up until the server says that the leg is live.
   * @param {Session} session
   * @param {number} generation
   */
  async join(session, generation) {
    let now = await this.command(session, "leg", { generation, step: "ready" });
    /** @type {number | undefined} */
    let position;
    for (;;) {
      const leg = now.legs.find((one) => one.generation === generation);
      if (!leg || leg.state === "draining") return;
      const after = position ?? leg.start ?? 0;
      const path = `/v1/sessions/${encodeURIComponent(session.id)}/texts?after=${after}&limit=200`;
      /** @type {{texts: import("./contract.js").Item[], head: number, upTo: number}} */
      const page = await this.device.api.json("GET", path);
      for (const item of page.texts) await this.device.take(item);
      position = page.upTo;
      if (leg.state === "live" && position >= page.head) return;
      if (leg.state === "replaying") now = await this.command(session, "leg", { generation, step: "progress", position });
      else if (position === after) return;
    }
  }

  /** What runs on this device is loaded when something does. */
  async media() {
    const concerns = this.all.some((session) =>
      session.media.some((medium) => medium.placements.some((one) => one.user === session.user && one.device === this.own))
      || session.pending.some((one) => one.change === "move" && one.by === session.user && one.device === this.own));
    if (!this.calls && concerns) {
      const { Calls } = await import("./calls.js");
      if (this.isElsewhere) return;
      this.calls ??= new Calls(this);
      for (const signal of this.early.splice(0)) this.calls.take(signal);
    }
    this.calls?.update();
  }
}
