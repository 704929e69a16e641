// This page's device: its registration, what it holds, what it sends.

import { Api } from "./api.js";
import { Database } from "./database.js";
import { Mailbox } from "./mailbox.js";
import { SendQueue } from "./queue.js";
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
    /** @type {State} */
    this.state = "connecting";
    this.queue = new SendQueue(this.api, database, () => this.tell("queue"));
    this.stream = new Stream({
      hello: () => ({ token: registration.token, cursor: this.mailbox.cursor ?? undefined }),
      frame: (frame) => this.keep(frame),
      state: (state) => {
        this.state = state;
        if (state === "live") this.queue.run();
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
      if (lacksContent(item)) device.complete(item.id);
    }
    await device.queue.load();
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
    await database.write({ clear: ["state", "items", "queue"], put: [["state", "registration", registration]] });
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
    const before = this.mailbox.cursor;
    if (frame.welcome) this.api.skew = Date.parse(frame.welcome.now) - Date.now();
    const events = this.mailbox.apply(frame);
    const cursor = this.mailbox.cursor;
    const hasMoved = cursor !== null
      && (before === null || before.epoch !== cursor.epoch || before.number !== cursor.number || before.level !== cursor.level);
    if (events.length > 0 || hasMoved) {
      /** @type {Map<number, Item | null>} */
      const touched = new Map();
      for (const event of events) {
        if (event.type !== "relisted") touched.set(event.item.created, event.type === "gone" ? null : event.item);
      }
      const entries = [...touched];
      await this.database.write({
        put: [
          ["state", "cursor", cursor],
          ...entries.flatMap(([created, item]) =>
            item ? [/** @type {["items", number, Item]} */ (["items", created, item])] : []),
        ],
        drop: entries.flatMap(([created, item]) => (item ? [] : [/** @type {["items", number]} */ (["items", created])])),
      });
    }
    if (events.length > 0) this.dispatchEvent(new CustomEvent("mailbox", { detail: events }));
    for (const event of events) {
      if (event.type === "arrived" && lacksContent(event.item)) this.complete(event.item.id);
    }
    return hasMoved && cursor ? { ack: cursor.number, level: cursor.level } : null;
  }

  /** @param {string} name */
  tell(name) {
    this.dispatchEvent(new Event(name));
  }

  /** Messages, newest first. */
  get messages() {
    return [...this.mailbox.items.values()].filter((item) => item.kind === "message")
      .sort((one, other) => other.created - one.created);
  }

  /** @param {string} id */
  message(id) {
    return [...this.mailbox.items.values()].find((item) => item.kind === "message" && item.id === id);
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
   * What was sent from here comes back as a number and its state: the content is asked for.
   * @param {string} id
   */
  async complete(id) {
    try {
      await this.take(await this.api.json("GET", `/v1/messages/${id}`));
    } catch (error) {
      console.warn("a message that was sent could not be completed", error);
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
    const events = this.mailbox.merge(item);
    await this.database.write({ put: [["items", item.created, this.mailbox.items.get(item.created)]] });
    this.dispatchEvent(new CustomEvent("mailbox", { detail: events }));
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
    await this.database.write({ put: [["items", created, left]] });
    this.dispatchEvent(new CustomEvent("mailbox", { detail: [{ type: "changed", item: left }] }));
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
