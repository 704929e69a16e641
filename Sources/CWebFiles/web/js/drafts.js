// What was begun and not sent: kept on this device, one for each conversation and one for a new message.

/** After the last key it is kept so soon, milliseconds. */
const pause = 300;

/**
 * @typedef {{to?: string, subject: string, text: string, files: File[], links: import("./queue.js").Link[],
 *   inReplyTo?: string}} Draft
 */

export class Drafts {
  /**
   * @param {import("./database.js").Database} database
   * @param {() => void} changed
   */
  constructor(database, changed) {
    this.database = database;
    this.changed = changed;
    /** @type {Map<string, Draft>} */
    this.byPlace = new Map();
    /** @type {Map<string, number>} */
    this.timers = new Map();
    addEventListener("pagehide", () => this.flush());
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
  }

  async load() {
    for (const { place, draft } of await this.database.all("drafts")) this.byPlace.set(place, draft);
  }

  /**
   * @param {string} place a conversation's id, or "new"
   * @param {Draft} draft an empty one is forgotten
   */
  keep(place, draft) {
    const isEmpty = !draft.to && !draft.subject && !draft.text.trim() && draft.files.length === 0
      && draft.links.length === 0 && !draft.inReplyTo;
    if (isEmpty) this.byPlace.delete(place);
    else this.byPlace.set(place, draft);
    clearTimeout(this.timers.get(place));
    this.timers.set(place, window.setTimeout(() => this.write(place), pause));
  }

  /** @param {string} place */
  async write(place) {
    clearTimeout(this.timers.get(place));
    this.timers.delete(place);
    const draft = this.byPlace.get(place);
    try {
      await this.database.write(draft ? { put: [["drafts", place, { place, draft }]] } : { drop: [["drafts", place]] });
    } catch (error) {
      console.warn("a draft could not be kept", error);
    }
    this.changed();
  }

  /** The page goes away: what waits is kept at once. */
  flush() {
    for (const place of [...this.timers.keys()]) this.write(place);
  }

  /** @param {string} place */
  drop(place) {
    this.byPlace.delete(place);
    return this.write(place);
  }
}
