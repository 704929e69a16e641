// This page's device: its registration, what it holds, what it sends.

import { Api } from "./api.js";
import { Conversations } from "./conversations.js";
import { Database } from "./database.js";
import { Drafts } from "./drafts.js";
import { Mailbox } from "./mailbox.js";
import { SendQueue } from "./queue.js";
import { Problem } from "./contract.js";
import { Sessions } from "./sessions.js";
import { Stream } from "./stream.js";

/**
 * @typedef {import("./contract.js").Item} Item
 * @typedef {import("./mailbox.js").Event} MailboxEvent
 * @typedef {import("./stream.js").State} State
 * @typedef {{token: string, account: number, device: number, addresses: string[], label: string, kind: string}} Registration
 */

/** The device's name in this browser and where its pages are: `/d/NAME/`, or in the demo `/demo/d/NAME/`. */
export function placeOfPage() {
  const match = /^(\/demo)?\/d\/([a-z0-9-]+)\/$/.exec(location.pathname);
  return match ? { name: match[2], isDemo: match[1] !== undefined } : null;
}

export class Device extends EventTarget {
  /**
   * @param {string} storage
   * @param {Database} database
   * @param {Registration} registration
   */
  constructor(storage, database, registration) {
    super();
    this.storage = storage;
    this.database = database;
    this.registration = registration;
    this.api = new Api(registration.token);
    this.mailbox = new Mailbox();
    this.conversations = new Conversations();
    /** @type {Map<string, Item>} What is no message, by kind and id. */
    this.others = new Map();
    /** @type {Map<number, MailboxEvent>} What changed and could not be kept on disk, by the item's number. */
    this.unkept = new Map();
    /** @type {Set<string>} Messages whose content is asked for. */
    this.completing = new Set();
    /** @type {State} */
    this.state = "connecting";
    this.drafts = new Drafts(database, () => this.tell("drafts"));
    this.queue = new SendQueue(this.api, database, "queue", (one, parts) => this.deliver(one, parts), () => this.tell("queue"));
    /** Files on their way to the personal area: messages do not wait for them. */
    this.storing = new SendQueue(this.api, database, "storing", (_, [part]) =>
      this.api.json("POST", "/v1/files", { upload: part.upload, name: part.name }), () => this.tell("storing"));
    this.sessions = new Sessions(this);
    this.stream = new Stream({
      hello: () => ({ token: registration.token, cursor: this.mailbox.cursor ?? undefined }),
      frame: (frame) => this.keep(frame),
      state: (state) => {
        this.state = state;
        if (state === "live") {
          this.queue.run();
          this.storing.run();
          for (const item of this.mailbox.items.values()) if (lacksContent(item)) this.complete(item.id);
        }
        this.tell("state");
      },
    });
  }

  /**
   * The device that registered here before; null if there is none.
   * @param {string} storage
   */
  static async open(storage) {
    const database = await Database.open(storage);
    const registration = await database.get("state", "registration");
    if (!registration) {
      database.close();
      return null;
    }
    const device = new Device(storage, database, registration);
    device.mailbox.cursor = (await database.get("state", "cursor")) ?? null;
    for (const item of await database.all("items")) {
      device.mailbox.items.set(item.created, item);
      device.index(item);
    }
    await Promise.all([device.queue.load(), device.storing.load(), device.drafts.load()]);
    return device;
  }

  /**
   * @param {string} storage
   * @param {string} address
   * @param {string} password
   * @param {import("./contract.js").Description} description
   */
  static async register(storage, address, password, description) {
    const answer = await new Api(null).json("POST", "/v1/login", { address, password, device: description });
    const database = await Database.open(storage);
    /** @type {Registration} */
    const registration = {
      token: answer.token,
      account: answer.account,
      device: answer.device,
      addresses: answer.addresses,
      label: description.label,
      kind: description.kind,
    };
    await database.write({ clear: ["state", "items", "queue", "storing", "drafts"], put: [["state", "registration", registration]] });
    database.close();
  }

  start() {
    this.stream.start();
  }

  /**
   * Keeps what a frame brings, then says what to acknowledge.
   * @param {any} frame
   */
  async keep(frame) {
    if (frame.typing || frame.signal) {
      this.sessions.hint(frame);
      return null;
    }
    const before = this.mailbox.cursor;
    if (frame.welcome) this.api.skew = Date.parse(frame.welcome.now) - Date.now();
    const events = this.mailbox.apply(frame);
    const cursor = this.mailbox.cursor;
    const hasMoved = cursor !== null
      && (before === null || before.epoch !== cursor.epoch || before.number !== cursor.number || before.level !== cursor.level);
    try {
      if (events.length > 0 || hasMoved) await this.record(events, cursor);
    } catch (error) {
      // The next connection asks for it again.
      this.mailbox.cursor = before;
      throw error;
    }
    return hasMoved && cursor ? { ack: cursor.number, level: cursor.level } : null;
  }

  /**
   * Keeps what has changed, then tells of it. What cannot be kept waits for the next time: of what the server sends
   * again not everything would be news.
   * @param {MailboxEvent[]} changes
   * @param {import("./contract.js").Cursor | null} [cursor] where the device stands with it
   */
  async record(changes, cursor) {
    const events = [...this.unkept.values(), ...changes];
    this.unkept.clear();
    /** @type {[import("./database.js").Name, IDBValidKey, unknown][]} */
    const put = cursor === undefined ? [] : [["state", "cursor", cursor]];
    /** @type {[import("./database.js").Name, IDBValidKey][]} */
    const drop = [];
    for (const created of new Set(events.flatMap((one) => (one.type === "relisted" ? [] : one.item.created)))) {
      const item = this.mailbox.items.get(created);
      if (item) put.push(["items", created, item]);
      else drop.push(["items", created]);
    }
    try {
      await this.database.write({ put, drop });
    } catch (error) {
      for (const one of events) {
        if (one.type !== "relisted") this.unkept.set(one.item.created, later(this.unkept.get(one.item.created), one));
      }
      throw error;
    }
    if (events.length > 0) this.tellOf(events);
    for (const one of events) {
      if (one.type === "arrived" && lacksContent(one.item)) this.complete(one.item.id);
    }
  }

  /** @param {string} name */
  tell(name) {
    this.dispatchEvent(new Event(name));
  }

  /** @param {MailboxEvent[]} events */
  tellOf(events) {
    for (const event of events) {
      if (event.type === "gone") this.forgetItem(event.item);
      else if (event.type !== "relisted") this.index(event.item);
    }
    this.dispatchEvent(new CustomEvent("mailbox", { detail: events }));
  }

  /** @param {Item} item */
  index(item) {
    if (item.kind === "message") this.conversations.put(item);
    else this.others.set(`${item.kind} ${item.id}`, item);
  }

  /** @param {Item} item */
  forgetItem(item) {
    if (item.kind === "message") this.conversations.remove(item);
    else this.others.delete(`${item.kind} ${item.id}`);
  }

  /**
   * What the server holds for the person, by kind; some kinds have one only.
   * @param {string} kind
   * @param {string} [id]
   */
  value(kind, id = kind) {
    return this.others.get(`${kind} ${id}`)?.value;
  }

  /**
   * What the server has answered to a change holds at once: to every device it comes as news too.
   * @param {string} kind of which there is one only
   * @param {unknown} value
   */
  learn(kind, value) {
    const key = `${kind} ${kind}`;
    this.others.set(key, { ...(this.others.get(key) ?? { changed: 0, created: 0, kind, id: kind }), value });
  }

  /**
   * All of a kind, newest first.
   * @param {string} kind
   */
  values(kind) {
    return [...this.others.values()].filter((item) => item.kind === kind && item.value)
      .sort((one, other) => other.created - one.created).map((item) => item.value);
  }

  /**
   * @param {import("./queue.js").Outgoing} one
   * @param {import("./contract.js").PartRequest[]} parts
   */
  async deliver(one, parts) {
    if (one.session) {
      try {
        return await this.api.json("POST", "/v1/messages", {
          id: one.id, session: one.session, subject: one.subject || undefined, parts, inReplyTo: one.inReplyTo,
          reports: ["delivered", "displayed"],
        });
      } catch (error) {
        // The conversation has ended meanwhile: what was said in it goes as a message.
        if (!(error instanceof Problem) || (error.code !== "conflict" && error.code !== "not-found")) throw error;
      }
    }
    return this.api.json("POST", "/v1/messages", {
      id: one.id,
      to: one.to,
      subject: one.subject || undefined,
      parts,
      inReplyTo: one.inReplyTo,
      conversation: one.conversation,
      reports: ["delivered", "displayed"],
    });
  }

  /** @param {string[]} ids */
  async markRead(ids) {
    if (ids.length > 0) await this.api.json("POST", "/v1/messages/read", { ids });
  }

  /**
   * @param {string[]} ids
   * @param {"everywhere" | "here"} scope
   */
  async remove(ids, scope) {
    await this.api.json("POST", "/v1/messages/delete", { ids, scope });
  }

  /**
   * What was sent from here comes back as a number and its state: the content is asked for, and again with the next
   * connection when it does not come.
   * @param {string} id
   */
  async complete(id) {
    if (this.completing.has(id)) return;
    this.completing.add(id);
    try {
      await this.take(await this.api.json("GET", `/v1/messages/${id}`));
    } catch (error) {
      console.warn("a message that was sent could not be completed", error);
    } finally {
      this.completing.delete(id);
    }
  }

  /**
   * Takes a message back whole that this device has only a notice of.
   * @param {string} id
   */
  async fetchWhole(id) {
    await this.take(await this.api.json("POST", `/v1/messages/${id}/fetch`));
  }

  /**
   * Keeps an item that was asked for.
   * @param {Item} item
   */
  async take(item) {
    await this.record(this.mailbox.merge(item));
  }

  /**
   * The content was deleted here: what is left is a notice of it.
   * @param {number} created
   */
  async dropContent(created) {
    const item = this.mailbox.items.get(created);
    if (!item?.message) return;
    const { message, ...rest } = item;
    const sum = message.parts.reduce((total, part) => total + part.bytes, 0);
    const notice = item.notice ?? {
      from: message.from, subject: message.subject, date: message.date, bytes: sum, types: message.parts.map((part) => part.type), link: "",
    };
    /** @type {Item} */
    const left = { ...rest, deliver: "notification", notice };
    this.mailbox.items.set(created, left);
    await this.record([{ type: "changed", item: left }]);
  }

  /** Ends the registration, and forgets everything here. */
  async signOut() {
    this.stream.stop();
    try {
      await this.api.json("POST", "/v1/logout");
    } finally {
      await this.forget();
    }
  }

  async forget() {
    this.stream.stop();
    this.database.close();
    await Database.remove(this.storage);
  }
}

/** @param {Item} item */
function lacksContent(item) {
  return item.kind === "message" && item.deliver === "whole" && !item.message && !item.notice && !item.released;
}

/**
 * What is to be told of an item to which two things have happened.
 * @param {MailboxEvent | undefined} first
 * @param {MailboxEvent} second
 * @returns {MailboxEvent}
 */
function later(first, second) {
  return first?.type === "arrived" && second.type === "changed" ? { ...second, type: "arrived" } : second;
}
