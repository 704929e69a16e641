// What was written and has not been accepted yet: kept on disk, sent in its order, never twice.

import { newID } from "./api.js";
import { Problem } from "./contract.js";
import { isTemporary } from "./stream.js";

const pieceBytes = 4 << 20;
const firstPause = 1000;
const longestPause = 30_000;

/**
 * @typedef {{name: string, type: string, blob: Blob, upload?: string, sent: number}} Attachment
 * @typedef {{id: string, order: number, to: string[], subject?: string, text: string, inReplyTo?: string,
 *   conversation?: string, attachments: Attachment[], forward?: {message: string, part: number}[],
 *   problem?: string}} Draft
 */

export class SendQueue {
  /**
   * @param {import("./api.js").Api} api
   * @param {import("./database.js").Database} database
   * @param {() => void} changed
   */
  constructor(api, database, changed) {
    this.api = api;
    this.database = database;
    this.changed = changed;
    /** @type {Draft[]} */
    this.drafts = [];
    this.isRunning = false;
    this.cancel = new AbortController();
  }

  async load() {
    this.drafts = (await this.database.all("queue")).sort((one, other) => one.order - other.order);
  }

  /** @param {Omit<Draft, "id" | "order">} draft */
  async add(draft) {
    const whole = { ...draft, id: newID(this.api.skew), order: Date.now() };
    await this.database.write({ put: [["queue", whole.id, whole]] });
    this.drafts.push(whole);
    this.changed();
    this.run();
  }

  /** @param {string} id */
  async drop(id) {
    const isCurrent = this.drafts[0]?.id === id;
    this.drafts = this.drafts.filter((draft) => draft.id !== id);
    await this.database.write({ drop: [["queue", id]] });
    if (isCurrent) {
      this.cancel.abort();
      this.cancel = new AbortController();
    }
    this.changed();
  }

  /** @param {string} id */
  retry(id) {
    const draft = this.drafts.find((one) => one.id === id);
    if (draft) draft.problem = undefined;
    this.changed();
    this.run();
  }

  async run() {
    if (this.isRunning) return;
    this.isRunning = true;
    let pause = firstPause;
    for (;;) {
      const draft = this.drafts.find((one) => !one.problem);
      if (!draft) break;
      try {
        await this.send(draft, this.cancel.signal);
        this.drafts = this.drafts.filter((one) => one !== draft);
        await this.database.write({ drop: [["queue", draft.id]] });
        pause = firstPause;
      } catch (error) {
        if (isTemporary(error)) {
          if (!navigator.onLine) break;
          await new Promise((resolve) => setTimeout(resolve, pause));
          pause = Math.min(pause * 2, longestPause);
        } else if (!(error instanceof DOMException)) {
          draft.problem = error instanceof Error ? error.message : String(error);
        }
      }
      this.changed();
    }
    this.isRunning = false;
  }

  /**
   * @param {Draft} draft
   * @param {AbortSignal} signal
   */
  async send(draft, signal) {
    /** @type {import("./contract.js").PartRequest[]} */
    const parts = [];
    if (draft.text) parts.push({ type: "text/plain", text: draft.text });
    for (const attachment of draft.attachments) {
      parts.push({ upload: await this.upload(draft, attachment, signal), name: attachment.name });
    }
    for (const forward of draft.forward ?? []) parts.push({ forward });
    await this.api.json("POST", "/v1/messages", {
      id: draft.id,
      to: draft.to,
      subject: draft.subject || undefined,
      parts,
      inReplyTo: draft.inReplyTo,
      conversation: draft.conversation,
      reports: ["delivered", "displayed"],
    });
  }

  /**
   * Goes on where an earlier attempt, or an earlier page, came to.
   * @param {Draft} draft
   * @param {Attachment} attachment
   * @param {AbortSignal} signal
   */
  async upload(draft, attachment, signal) {
    let upload = attachment.upload ? await this.known(attachment.upload) : null;
    if (!upload) {
      upload = await this.api.json("POST", "/v1/uploads", {
        type: attachment.type || "application/octet-stream", name: attachment.name, bytes: attachment.blob.size,
      });
      attachment.upload = upload.id;
      await this.database.write({ put: [["queue", draft.id, draft]] });
    }
    while (!upload.complete) {
      const offset = upload.offset;
      const piece = attachment.blob.slice(offset, offset + pieceBytes);
      upload = await this.api.append(upload.id, offset, piece, (sent) => {
        attachment.sent = sent;
        this.changed();
      }, signal);
    }
    attachment.sent = attachment.blob.size;
    return upload.id;
  }

  /** @param {string} id */
  async known(id) {
    try {
      return await this.api.json("GET", `/v1/uploads/${id}`);
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    }
  }
}
