// What goes to the server and has not been accepted yet: kept on disk, sent in its order, never twice.

import { newID } from "./api.js";
import { Problem, reason } from "./contract.js";
import { isTemporary } from "./stream.js";
import { t } from "./words.js";

const pieceBytes = 4 << 20;
const firstPause = 1000;
const longestPause = 30_000;

/**
 * @typedef {import("./contract.js").Upload} Upload
 * @typedef {{name: string, type: string, blob: Blob, upload?: string, isComplete?: boolean, sent: number}} Attachment
 * @typedef {{name: string, bytes: number, part: import("./contract.js").PartRequest}} Link what the server has already
 * @typedef {{id: string, order: number, to: string[], subject?: string, text: string, inReplyTo?: string,
 *   conversation?: string, session?: string, attachments: Attachment[], links: Link[], isHeld?: boolean, problem?: string}} Outgoing
 * @typedef {(one: Outgoing, parts: import("./contract.js").PartRequest[]) => Promise<unknown>} Deliver
 */

export class SendQueue {
  /**
   * @param {import("./api.js").Api} api
   * @param {import("./database.js").Database} database
   * @param {"queue" | "storing"} store
   * @param {Deliver} deliver what becomes of an entry whose attachments are with the server
   * @param {() => void} changed
   */
  constructor(api, database, store, deliver, changed) {
    this.api = api;
    this.database = database;
    this.store = store;
    this.deliver = deliver;
    this.changed = changed;
    /** @type {Outgoing[]} */
    this.entries = [];
    this.isRunning = false;
    /** @type {Outgoing | null} */
    this.current = null;
    this.cancel = new AbortController();
  }

  async load() {
    this.entries = (await this.database.all(this.store)).sort((one, other) => one.order - other.order);
  }

  /** @param {Omit<Outgoing, "id" | "order">} one */
  async add(one) {
    /** @type {Outgoing} */
    const whole = { ...one, id: newID(this.api.skew), order: Date.now() };
    await this.keepOrSay(whole);
    // What is sent is the copy that was kept: the file itself may change or go.
    // The list is looked up behind the wait: it is another one whenever something has left it.
    const kept = whole.problem ? whole : await this.database.get(this.store, whole.id);
    this.entries.push(kept);
    this.changed();
    this.run();
  }

  /** @param {Outgoing} one */
  keep(one) {
    return this.database.write({ put: [[this.store, one.id, one]] });
  }

  /**
   * What cannot be kept is not lost: it waits in this page, and says why.
   * @param {Outgoing} one
   */
  async keepOrSay(one) {
    try {
      await this.keep(one);
    } catch (error) {
      one.problem = t("notKept", { reason: reason(error) });
    }
  }

  /**
   * How far it has come, unless it was cancelled meanwhile.
   * @param {Outgoing} one
   */
  async note(one) {
    if (this.entries.includes(one)) await this.keep(one);
  }

  /** @param {string} id */
  async drop(id) {
    this.interrupt(id);
    this.entries = this.entries.filter((one) => one.id !== id);
    this.changed();
    await this.database.write({ drop: [[this.store, id]] });
  }

  /**
   * Stops where it is, until it is told to go on; others go first.
   * @param {string} id
   */
  async hold(id) {
    const one = this.entries.find((entry) => entry.id === id);
    if (!one) return;
    one.isHeld = true;
    this.interrupt(id);
    await this.keepOrSay(one);
    this.changed();
  }

  /** @param {string} id */
  async retry(id) {
    const one = this.entries.find((entry) => entry.id === id);
    if (!one) return;
    one.problem = undefined;
    one.isHeld = false;
    await this.keepOrSay(one);
    this.changed();
    this.run();
  }

  /** @param {string} id */
  interrupt(id) {
    if (this.current?.id !== id) return;
    this.cancel.abort();
    this.cancel = new AbortController();
  }

  async run() {
    if (this.isRunning) return;
    this.isRunning = true;
    let pause = firstPause;
    for (;;) {
      const one = this.entries.find((entry) => !entry.problem && !entry.isHeld);
      if (!one) break;
      this.current = one;
      const { signal } = this.cancel;
      try {
        await this.send(one, signal);
        this.entries = this.entries.filter((entry) => entry !== one);
        await this.database.write({ drop: [[this.store, one.id]] });
        pause = firstPause;
      } catch (error) {
        if (isTemporary(error)) {
          if (!navigator.onLine) break;
          await new Promise((resolve) => setTimeout(resolve, pause));
          pause = Math.min(pause * 2, longestPause);
        } else if (!signal.aborted) {
          one.problem = reason(error);
        }
      }
      this.changed();
    }
    this.current = null;
    this.isRunning = false;
  }

  /**
   * @param {Outgoing} one
   * @param {AbortSignal} signal
   */
  async send(one, signal) {
    const isAgain = one.attachments.some((attachment) => attachment.isComplete);
    /** @type {import("./contract.js").PartRequest[]} */
    const parts = [];
    if (one.text) parts.push({ type: "text/plain", text: one.text });
    for (const attachment of one.attachments) {
      parts.push({ upload: await this.upload(one, attachment, signal), name: attachment.name });
    }
    signal.throwIfAborted();
    try {
      await this.deliver(one, [...parts, ...one.links.map((link) => link.part)]);
    } catch (error) {
      if (!isAgain || !(error instanceof Problem) || error.status !== 404) throw error;
      // It waited for so long that the server gave the uploads up.
      for (const attachment of one.attachments) attachment.isComplete = false;
      await this.send(one, signal);
    }
  }

  /**
   * Goes on where an earlier attempt, or an earlier page, came to.
   * @param {Outgoing} one
   * @param {Attachment} attachment
   * @param {AbortSignal} signal
   */
  async upload(one, attachment, signal) {
    // It may be part of a message already whose answer was lost, and no longer an upload. The same request again, with
    // the same upload, has the same answer.
    if (attachment.upload && attachment.isComplete) return attachment.upload;
    let upload = await this.begun(one, attachment);
    while (!upload.complete) {
      signal.throwIfAborted();
      upload = await this.append(upload, attachment, signal);
    }
    attachment.sent = attachment.blob.size;
    attachment.isComplete = true;
    await this.note(one);
    return upload.id;
  }

  /**
   * The upload of an attachment, begun now or earlier.
   * @param {Outgoing} one
   * @param {Attachment} attachment
   * @returns {Promise<Upload>}
   */
  async begun(one, attachment) {
    const earlier = attachment.upload ? await this.known(attachment.upload) : null;
    if (earlier) return earlier;
    /** @type {Upload} */
    const upload = await this.api.json("POST", "/v1/uploads", {
      type: attachment.type || "application/octet-stream", name: attachment.name, bytes: attachment.blob.size,
    });
    attachment.upload = upload.id;
    await this.note(one);
    return upload;
  }

  /**
   * One piece more.
   * @param {Upload} upload
   * @param {Attachment} attachment
   * @param {AbortSignal} signal
   * @returns {Promise<Upload>}
   */
  async append({ id, offset }, attachment, signal) {
    try {
      return await this.api.append(id, offset, attachment.blob.slice(offset, offset + pieceBytes), (sent) => {
        attachment.sent = sent;
        this.changed();
      }, signal);
    } catch (error) {
      // A piece has arrived whose answer was lost: it goes on from where the upload stands.
      const upload = error instanceof Problem && error.status === 409 ? await this.known(id) : null;
      if (upload && (upload.offset !== offset || upload.complete)) return upload;
      throw error;
    }
  }

  /**
   * @param {string} id
   * @returns {Promise<Upload | null>}
   */
  async known(id) {
    try {
      return await this.api.json("GET", `/v1/uploads/${id}`);
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    }
  }
}
