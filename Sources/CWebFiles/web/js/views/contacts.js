// People one writes to, and the lists they are on.

import { newID } from "../api.js";
import { attempt, fill, h, icon } from "../dom.js";
import { plainAddress, t } from "../words.js";

/** @typedef {{id: string, name: string, addresses: string[], lists: string[], note?: string}} Contact */

/**
 * The contacts as this device holds them, by name.
 * @param {import("../device.js").Device} device
 * @returns {Contact[]}
 */
export function contactsOf(device) {
  return /** @type {Contact[]} */ (device.values("contact")).sort((one, other) => one.name.localeCompare(other.name));
}

/**
 * Lists by name, with who is on them.
 * @param {import("../device.js").Device} device
 */
export function listsOf(device) {
  /** @type {Map<string, Contact[]>} */
  const lists = new Map();
  for (const contact of contactsOf(device)) {
    for (const name of contact.lists) lists.set(name, [...(lists.get(name) ?? []), contact]);
  }
  return new Map([...lists].sort(([one], [other]) => one.localeCompare(other)));
}

/**
 * @param {Element} place
 * @param {import("../device.js").Device} device
 */
export function showContacts(place, device) {
  const list = h("ul", { class: "cards" });
  const problem = h("p", { class: "problem", role: "alert" });
  const editor = h("div", {});
  const edit = (/** @type {Contact | null} */ contact) => {
    fill(editor, form(device, contact, () => fill(editor)));
    editor.querySelector("input")?.focus();
  };
  const filters = h("div", { class: "chips", role: "group", "aria-label": t("whoIsShown") });
  /** @type {string | null} */
  let chosen = null;
  const chip = (/** @type {string | null} */ name, /** @type {string} */ text) => h("button", {
    class: "chip", "aria-pressed": String(chosen === name),
    onclick: () => {
      chosen = name;
      draw();
      /** @type {HTMLElement | null} */ (filters.querySelector("[aria-pressed=true]"))?.focus();
    },
  }, text);
  const draw = () => {
    const lists = listsOf(device);
    if (chosen !== null && !lists.has(chosen)) chosen = null;
    fill(filters, lists.size > 0 && [
      chip(null, t("everybody")),
      ...[...lists].map(([name, people]) => chip(name, t("listWithCount", { name, count: people.length }))),
    ]);
    drawCards(chosen === null ? contactsOf(device) : lists.get(chosen) ?? []);
  };
  const drawCards = (/** @type {Contact[]} */ shown) => fill(list, shown.map((one) => h("li", {},
    h("strong", {}, one.name),
    one.addresses.map((address) => h("span", {}, plainAddress(address))),
    one.lists.length > 0 && h("span", { class: "hint" }, one.lists.join(", ")),
    h("div", { class: "row" },
      h("button", { class: "quiet", "aria-label": t("editContact", { name: one.name }), onclick: () => edit(one) }, icon("write")),
      h("button", {
        class: "quiet", "aria-label": t("removeContact", { name: one.name }),
        onclick: () => attempt(problem, () => device.api.json("DELETE", `/v1/contacts/${one.id}`)),
      }, icon("trash"))))));
  const changed = () => {
    if (list.isConnected) draw();
    else device.removeEventListener("mailbox", changed);
  };
  fill(place, h("section", { class: "page" },
    h("h2", {}, t("contacts")),
    h("div", { class: "row" }, h("button", { onclick: () => edit(null) }, t("newContact"))),
    editor, problem, filters, list));
  device.addEventListener("mailbox", changed);
  draw();
}

/**
 * @param {import("../device.js").Device} device
 * @param {Contact | null} contact
 * @param {() => void} close
 */
function form(device, contact, close) {
  const name = h("input", { required: true, maxLength: 80, value: contact?.name ?? "" });
  const addresses = h("input", { required: true, spellcheck: "false", placeholder: t("toHint"), value: contact?.addresses.map(plainAddress).join(", ") ?? "" });
  const lists = h("input", { value: contact?.lists.join(", ") ?? "", placeholder: [...listsOf(device).keys()].join(", ") });
  const problem = h("p", { class: "problem", role: "alert" });
  const pieces = (/** @type {string} */ text) => text.split(",").map((one) => one.trim()).filter((one) => one !== "");
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const id = contact?.id ?? newID(device.api.skew);
    const isSaved = await attempt(problem, () => device.api.json("PUT", `/v1/contacts/${id}`, {
      ...contact, id, name: name.value.trim(), addresses: pieces(addresses.value), lists: pieces(lists.value),
    }));
    if (isSaved) close();
  };
  return h("form", { class: "card", onsubmit: submit },
    h("label", {}, t("contactName"), name), h("label", {}, t("addresses"), addresses),
    h("label", {}, t("contactLists"), lists), problem,
    h("div", { class: "row" }, h("button", { class: "primary" }, t("save")), h("button", { type: "button", onclick: close }, t("cancel"))));
}
