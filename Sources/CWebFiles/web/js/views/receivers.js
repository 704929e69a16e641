// The field for whom a message goes to: addresses, names of contacts, and lists.

import { fill, h } from "../dom.js";
import { plainAddress, t } from "../words.js";
import { contactsOf, listsOf } from "./contacts.js";

/** @param {import("../device.js").Device} device */
export function receiverField(device) {
  const people = h("datalist", { id: "known-people" });
  const input = h("input", {
    name: "to", required: true, autocomplete: "off", spellcheck: "false", placeholder: t("toHint"), list: "known-people",
  });
  const suggest = () => {
    // A browser completes the whole field: what stands before the last comma is part of every suggestion.
    const before = input.value.slice(0, input.value.lastIndexOf(",") + 1);
    const option = (/** @type {string} */ value, /** @type {string} */ label) =>
      h("option", { value: before ? `${before} ${value}` : value }, label);
    fill(people,
      contactsOf(device).flatMap((one) => one.addresses.map((address) => option(plainAddress(address), one.name))),
      [...listsOf(device)].map(([name, contacts]) => option(name, t("listOf", { count: contacts.length }))));
  };
  input.addEventListener("input", suggest);
  suggest();
  return { input, people };
}

/**
 * @param {import("../device.js").Device} device
 * @param {string} text
 */
export function receiversOf(device, text) {
  const lists = listsOf(device);
  const contacts = contactsOf(device);
  const found = text.split(",").map((one) => one.trim()).filter((one) => one !== "").flatMap((one) => {
    const list = lists.get(one);
    if (list) return list.flatMap((contact) => contact.addresses.slice(0, 1));
    return contacts.find((contact) => contact.name === one)?.addresses.slice(0, 1) ?? [one];
  });
  return [...new Set(found)];
}
