// Tells of a message that came, once; the telling is withdrawn when it was read elsewhere.

import { h } from "./dom.js";
import { plainAddress, t } from "./words.js";

/** @typedef {import("./contract.js").Item} Item */

const shownFor = 8000;
/** A message that waited longer is no news. */
const freshFor = 60_000;
/** @type {Map<string, () => void>} */
const shown = new Map();
const list = h("ul", { class: "popups", "aria-live": "polite" });

/** @param {Item} item */
export function announce(item) {
  const content = item.message ?? item.notice;
  if (item.kind !== "message" || !content || item.read || item.silent || !item.boxes?.includes("inbox")) return;
  if (Date.now() - Date.parse(content.date) > freshFor) return;
  const title = t("newFrom", { from: plainAddress(content.from) });
  const first = item.message?.parts.find((part) => part.text !== undefined)?.text;
  const body = content.subject ?? first?.slice(0, 120) ?? "";
  if (document.hidden && "Notification" in window && Notification.permission === "granted") system(item, title, body);
  else inPage(item, title, body);
}

/**
 * @param {Item} item
 * @param {string} title
 * @param {string} body
 */
async function system(item, title, body) {
  const registration = await navigator.serviceWorker.ready;
  await registration.showNotification(title, { body, tag: item.id, data: item.conversation });
  shown.set(item.id, async () => {
    for (const one of await registration.getNotifications({ tag: item.id })) one.close();
  });
}

/**
 * @param {Item} item
 * @param {string} title
 * @param {string} body
 */
function inPage(item, title, body) {
  if (!list.isConnected) document.body.append(list);
  const close = () => {
    clearTimeout(timer);
    entry.remove();
    shown.delete(item.id);
  };
  const entry = h("li", {},
    h("a", { href: `#/messages/${encodeURIComponent(item.conversation ?? "")}`, onclick: close },
      h("strong", {}, title), h("span", {}, body)),
    h("button", { class: "quiet", "aria-label": t("close"), onclick: close }, "×"));
  const timer = setTimeout(close, shownFor);
  shown.set(item.id, close);
  list.append(entry);
}

/** @param {Item} item */
export function withdraw(item) {
  shown.get(item.id)?.();
  shown.delete(item.id);
}
