// Words, dates and numbers as the reader has them.

/** @typedef {typeof import("../strings/en.js").en} Catalogue */
/** @typedef {keyof Catalogue} Key */

/** @type {Record<string, () => Promise<Record<Key, string>>>} */
const catalogues = {
  en: async () => (await import("../strings/en.js")).en,
  de: async () => (await import("../strings/de.js")).de,
};

export const language = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in catalogues) ?? "en";
document.documentElement.lang = language;

const catalogue = await catalogues[language]();

/**
 * A text of the catalogue; `{name}` stands for a value.
 * @param {Key} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  return catalogue[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

const locale = navigator.language;
const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

/** @param {string} time An RFC 3339 time. */
export function shortTime(time) {
  const date = new Date(time);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : day.format(date);
}

/** @param {string} time An RFC 3339 time. */
export function longTime(time) {
  return full.format(new Date(time));
}

/** @param {number} count */
export function bytes(count) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return new Intl.NumberFormat(locale, {
    style: "unit", unit: units[unit], unitDisplay: "narrow", maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
  }).format(value);
}

/** @param {number} count */
export function number(count) {
  return new Intl.NumberFormat(locale).format(count);
}

/**
 * The part of an address that people say.
 * @param {string} address
 */
export function plainAddress(address) {
  return address.replace(/^(sip|tel):/, "");
}
