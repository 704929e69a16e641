// One message of a conversation.

import { fill, h, icon, saveLink } from "../dom.js";
import { conversationOf } from "../conversations.js";
import { block, blocked } from "../preferences.js";
import { bytes, longTime, plainAddress, shortTime, t } from "../words.js";

/**
 * @typedef {import("../contract.js").Item} Item
 * @typedef {import("../device.js").Device} Device
 */

/**
 * @typedef {{reply: () => void, attempt: (action: () => Promise<unknown>) => Promise<boolean>}} Ways
 *   what one can do with a message: `attempt` says why something could not be done
 */

/** Pictures that are safe to draw; anything else that says it is one is only offered for download. */
const pictures = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

/** @param {string} type */
export function isPicture(type) {
  return pictures.has(type);
}

const marks = /** @type {const} */ ({ pending: "check", delivered: "checks", displayed: "checks", failed: "alert" });

/**
 * @param {Device} device
 * @param {Item} item
 * @param {Ways} ways
 */
export function bubble(device, item, { reply, attempt }) {
  const isMine = item.boxes?.includes("sent") && !item.boxes.includes("inbox");
  const { message, notice } = item;
  const content = message ?? notice;
  return h("li", { class: isMine ? "mine" : "theirs", "data-message": item.id, tabindex: "-1" },
    content && !isMine && h("p", { class: "from" }, plainAddress(content.from)),
    message?.inReplyTo && answered(device, message.inReplyTo),
    content?.subject && h("h3", {}, content.subject),
    item.released && h("p", { class: "hint" }, t("released")),
    message?.parts.map((part, index) => partOf(item, part, index)),
    notice && !message && h("div", { class: "notice" },
      h("p", { class: "hint" }, t("noticeSize", { size: bytes(notice.bytes) })),
      h("button", { onclick: () => attempt(() => device.fetchWhole(item.id)) }, t("fetch"))),
    h("footer", {},
      content && h("time", { datetime: content.date, title: longTime(content.date) }, shortTime(content.date)),
      isMine && receivers(item),
      h("button", { class: "quiet reply", "aria-label": t("replyTo", { from: plainAddress(content?.from ?? "") }), title: t("reply"), onclick: reply }, icon("reply")),
      menu(device, item, attempt)));
}

/**
 * The beginning of what a message answers, as the way to it.
 * @param {Device} device
 * @param {string} id
 */
function answered(device, id) {
  const item = device.conversations.messages.get(id);
  const content = item?.message ?? item?.notice;
  if (!item || !content) return null;
  const text = item.message?.parts.find((part) => part.text)?.text ?? content.subject ?? "";
  return h("a", { class: "quote", href: `#/messages/${encodeURIComponent(conversationOf(item))}/${encodeURIComponent(id)}` },
    h("strong", {}, plainAddress(content.from)), h("span", { class: "line" }, text.slice(0, 120)));
}

/**
 * @param {Item} item
 * @param {import("../contract.js").Part} part
 * @param {number} index
 */
function partOf(item, part, index) {
  if (part.text !== undefined) return h("p", { class: "text", dir: "auto" }, part.text);
  if (!part.sha256) return null;
  const source = `/v1/messages/${item.id}/parts/${index}`;
  const name = part.name ?? part.type;
  const save = saveLink(source, name,
    icon("file"), h("span", { class: "name" }, name), h("span", { class: "hint" }, bytes(part.bytes)));
  if (pictures.has(part.type)) {
    return h("figure", {}, h("img", { src: source, alt: name, loading: "lazy" }), h("figcaption", {}, save));
  }
  if (part.type.startsWith("video/")) {
    return h("figure", {}, h("video", { src: source, controls: true, preload: "metadata" }), h("figcaption", {}, save));
  }
  if (part.type.startsWith("audio/")) {
    return h("figure", {}, h("audio", { src: source, controls: true, preload: "none" }), h("figcaption", {}, save));
  }
  return save;
}

/**
 * What became of it, for each receiver.
 * @param {Item} item
 */
function receivers(item) {
  const all = item.receivers ?? [];
  if (all.length === 0) return null;
  return h("ul", { class: "receivers" }, all.map((one) =>
    h("li", { class: one.state, title: `${plainAddress(one.address)}: ${longTime(one.since)}` },
      icon(marks[one.state]),
      h("span", {}, (all.length > 1 ? `${plainAddress(one.address)}: ` : "") + t(`state.${one.state}`),
        one.reason && ` (${one.reason})`))));
}

/**
 * @param {Device} device
 * @param {Item} item
 * @param {Ways["attempt"]} attempt
 */
function menu(device, item, attempt) {
  const content = item.message ?? item.notice;
  const from = content && !device.registration.addresses.includes(content.from) ? content.from : null;
  // What was chosen closes the menu when the message moves on for it.
  const choices = h("div", { onclick: () => { details.dataset.chosen = ""; } });
  // Made when it is opened: what it offers depends on what holds then. Whoever is at a choice stays there.
  const opened = () => {
    if (!details.open) return choices.replaceChildren();
    if (choices.hasChildNodes()) return undefined;
    delete details.dataset.chosen;
    const isBlocked = from !== null && blocked(device).includes(from);
    fill(choices,
      item.message && !item.released && h("a", { class: "button", href: `#/messages/new/forward/${encodeURIComponent(item.id)}` }, t("forward")),
      from && h("button", {
        onclick: async () => { if (await attempt(() => block(device, from, !isBlocked))) details.open = false; },
      }, t(isBlocked ? "unblock" : "block", { from: plainAddress(from) })),
      h("button", { onclick: () => attempt(() => device.remove([item.id], "everywhere")) }, t("deleteEverywhere")),
      item.message && item.boxes?.includes("inbox")
        && h("button", { onclick: () => attempt(() => removeHere(device, item)) }, t("deleteHere")));
    // At the top of the list it opens downwards.
    const top = details.closest(".bubbles")?.getBoundingClientRect().top ?? 0;
    details.classList.toggle("down", details.getBoundingClientRect().top - choices.offsetHeight < top);
    return undefined;
  };
  const details = h("details", {
    class: "menu", ontoggle: opened,
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || !details.open) return;
      details.open = false;
      choices.replaceChildren();
      details.querySelector("summary")?.focus();
    },
  },
  h("summary", { "aria-label": t("more", { from: content ? plainAddress(content.from) : "" }) }, icon("more")), choices);
  return details;
}

/**
 * @param {Device} device
 * @param {Item} item
 */
async function removeHere(device, item) {
  await device.remove([item.id], "here");
  await device.dropContent(item.created);
}
