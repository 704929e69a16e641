// What this device holds of the mailbox. The same frames in the same order give the same mailbox.

/**
 * @typedef {import("./contract.js").Item} Item
 * @typedef {import("./contract.js").Cursor} Cursor
 * @typedef {{type: "arrived" | "changed" | "gone", item: Item} | {type: "relisted"}} Event
 */

/** Deleted items that are remembered. */
const mostDead = 10_000;

export class Mailbox {
  constructor() {
    /** @type {Map<number, Item>} Items by the number of their making. */
    this.items = new Map();
    /** @type {Cursor | null} Where the device stands. */
    this.cursor = null;
    /** @type {string | null} */
    this.epoch = null;
    /** @type {Set<number>} Deleted: what was asked for before may be answered after, and is not to come back. */
    this.dead = new Set();
    /** @type {Set<number> | null} Named by the pages of a listing that has not ended. */
    this.listed = null;
  }

  /**
   * @param {any} frame
   * @returns {Event[]}
   */
  apply(frame) {
    if (frame.welcome) {
      if (this.epoch !== frame.welcome.epoch) this.dead.clear();
      this.epoch = frame.welcome.epoch;
      this.listed = null;
      return [];
    }
    if (frame.digest) return this.digest(frame.digest);
    if (frame.reset) return this.reset(frame.reset);
    if (!frame.changes) return [];
    const events = frame.changes.flatMap((/** @type {Item} */ change) => this.merge(change));
    if (frame.upTo !== undefined) this.advance(frame.upTo, frame.level ?? 0);
    return events;
  }

  /**
   * @param {{gone: number[], read: number[]}} digest
   * @returns {Event[]}
   */
  digest(digest) {
    /** @type {Event[]} */
    const events = digest.gone.flatMap((created) => this.bury(created));
    for (const created of digest.read) {
      const item = this.items.get(created);
      if (!item || item.read) continue;
      const read = { ...item, read: true };
      this.items.set(created, read);
      events.push({ type: "changed", item: read });
    }
    return events;
  }

  /**
   * @param {{items: Item[], last: boolean, epoch: string, asOf: number}} reset
   * @returns {Event[]}
   */
  reset(reset) {
    const named = this.listed ?? new Set();
    /** @type {Event[]} */
    const events = [];
    for (const item of reset.items) {
      named.add(item.created);
      events.push(...this.merge(item, true));
    }
    this.listed = reset.last ? null : named;
    if (!reset.last) return events;
    for (const created of [...this.items.keys()]) {
      if (!named.has(created)) events.push(...this.remove(created));
    }
    this.cursor = { epoch: reset.epoch, number: reset.asOf, level: reset.asOf };
    events.push({ type: "relisted" });
    return events;
  }

  /**
   * Content comes once; a later change of an item leaves it out, and what is held stays.
   * @param {Item} change
   * @param {boolean} [isListed] a listing holds whatever was before: its numbers may be those of a restored backup
   * @returns {Event[]}
   */
  merge(change, isListed = false) {
    if (change.gone) return this.bury(change.created);
    if (change.deliver === "nothing") return this.remove(change.created);
    if (this.dead.has(change.created)) return [];
    const held = this.items.get(change.created);
    // What was asked for may have been overtaken by a change: then only its content is news.
    const state = held && !isListed && held.changed > change.changed ? held : change;
    const item = held
      ? {
        ...state,
        message: change.message ?? held.message,
        notice: change.notice ?? held.notice,
        value: change.value ?? held.value,
        receivers: state.receivers ?? held.receivers,
      }
      : change;
    this.items.set(item.created, item);
    return [{ type: held ? "changed" : "arrived", item }];
  }

  /**
   * Deleted: it never comes back.
   * @param {number} created
   * @returns {Event[]}
   */
  bury(created) {
    if (this.dead.size >= mostDead) this.dead.clear();
    this.dead.add(created);
    return this.remove(created);
  }

  /**
   * @param {number} created
   * @returns {Event[]}
   */
  remove(created) {
    const item = this.items.get(created);
    if (!item) return [];
    this.items.delete(created);
    return [{ type: "gone", item }];
  }

  /**
   * @param {number} number
   * @param {number} level
   */
  advance(number, level) {
    const epoch = this.epoch ?? this.cursor?.epoch;
    if (!epoch) return;
    const before = this.cursor?.epoch === epoch ? this.cursor : { number: 0, level: 0 };
    this.cursor = { epoch, number: Math.max(before.number, number), level: Math.max(before.level, level) };
  }
}
