// Messages by conversation, kept as they come, so that nobody needs to go through all of them again.

/**
 * @typedef {import("./contract.js").Item} Item
 * @typedef {{id: string, messages: Item[], unread: number, newest: Item, version: number}} Conversation
 *   `messages`: oldest first; `version` grows with every change
 */

export class Conversations {
  constructor() {
    /** @type {Map<string, Conversation>} */
    this.byID = new Map();
    /** @type {Map<string, Item>} Messages by their id. */
    this.messages = new Map();
    /** Counted over all of them: one that was gone and comes back is never taken for the one it was. */
    this.changes = 0;
    /** @type {Conversation[] | null} */
    this.sorted = null;
  }

  /** @returns {Conversation[]} newest first */
  get all() {
    this.sorted ??= [...this.byID.values()].sort((one, other) => other.newest.created - one.newest.created);
    return this.sorted;
  }

  /**
   * A message came or became another.
   * @param {Item} item
   */
  put(item) {
    if (item.kind !== "message") return;
    const id = conversationOf(item);
    let one = this.byID.get(id);
    if (!one) {
      one = { id, messages: [], unread: 0, newest: item, version: 0 };
      this.byID.set(id, one);
    }
    const index = place(one.messages, item.created);
    const held = one.messages[index]?.created === item.created ? one.messages[index] : null;
    one.messages.splice(index, held ? 1 : 0, item);
    one.unread += Number(isUnread(item)) - Number(held !== null && isUnread(held));
    this.changes += 1;
    one.version = this.changes;
    this.messages.set(item.id, item);
    this.ends(one);
  }

  /** @param {Item} item */
  remove(item) {
    if (item.kind !== "message") return;
    const one = this.byID.get(conversationOf(item));
    if (!one) return;
    const index = place(one.messages, item.created);
    if (one.messages[index]?.created !== item.created) return;
    const [held] = one.messages.splice(index, 1);
    one.unread -= Number(isUnread(held));
    this.changes += 1;
    one.version = this.changes;
    this.messages.delete(item.id);
    if (one.messages.length === 0) {
      this.byID.delete(one.id);
      this.sorted = null;
    } else {
      this.ends(one);
    }
  }

  /** @param {Conversation} one */
  ends(one) {
    one.newest = one.messages[one.messages.length - 1];
    this.sorted = null;
  }
}

/** @param {Item} item */
export function conversationOf(item) {
  return item.conversation ?? item.id;
}

/** @param {Item} item */
export function isUnread(item) {
  return !item.read && (item.boxes?.includes("inbox") ?? false);
}

/**
 * Where a number stands, or would stand, among messages in order.
 * @param {Item[]} messages
 * @param {number} created
 */
function place(messages, created) {
  let low = 0;
  let high = messages.length;
  // The newest comes most often.
  if (high > 0 && messages[high - 1].created < created) return high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].created < created) low = middle + 1;
    else high = middle;
  }
  return low;
}
