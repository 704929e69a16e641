// A table that scrolls sideways where it must.

import { h } from "../js/dom.js";

/**
 * @typedef {import("../js/dom.js").Child} Child
 * @typedef {{title: string, isNumber?: boolean}} Column
 */

/**
 * @param {string} caption
 * @param {Column[]} columns
 * @param {Child[][]} rows
 * @param {string} empty what to say when there are none
 */
export function table(caption, columns, rows, empty) {
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {},
      h("thead", {}, h("tr", {}, columns.map((one) =>
        h("th", { scope: "col", class: one.isNumber ? "number" : undefined }, one.title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, index) =>
        h("td", { class: columns[index].isNumber ? "number" : undefined }, cell)))))));
}
