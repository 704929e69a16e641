// What waits, what went wrong, and what happened to a message.

import { fill, h } from "../js/dom.js";
import { longTime, number, plainAddress, t as clientWord } from "../js/words.js";
import { trying } from "./accounts.js";
import { table } from "./table.js";
import { t } from "./words.js";

/** @typedef {import("../js/api.js").Api} Api */

/**
 * A page whose table is read when it is shown.
 * @param {Element} place
 * @param {string} title
 * @param {() => Promise<Element>} body
 */
function page(place, title, body) {
  const problem = h("p", { class: "problem", role: "alert" });
  const content = h("div", {});
  fill(place, h("section", { class: "page wide" }, h("h2", {}, title), problem, content));
  return trying(problem, async () => fill(content, await body()));
}

/**
 * @param {Element} place
 * @param {Api} api
 */
export function showQueue(place, api) {
  return page(place, t("queue"), async () => {
    /** @type {{lanes: {lane: string, waiting: number, attempts: number, due: string}[]}} */
    const { lanes } = await api.json("GET", "/operator/outbox?limit=100");
    return table(t("queue"), [{ title: t("lane") }, { title: t("waiting"), isNumber: true },
      { title: t("attempts"), isNumber: true }, { title: t("due") }],
    lanes.map((one) => [one.lane, number(one.waiting) + (one.waiting === 100 ? "+" : ""), number(one.attempts), longTime(one.due)]),
    t("nothingWaits"));
  });
}

/**
 * @param {Element} place
 * @param {Api} api
 */
export function showErrors(place, api) {
  return page(place, t("errors"), async () => {
    /** @type {{errors: {time: string, level: string, message: string, details: Record<string, string>}[]}} */
    const { errors } = await api.json("GET", "/operator/errors");
    return table(t("errors"), [{ title: t("time") }, { title: t("level") }, { title: t("message") }, { title: t("details") }],
      errors.map((one) => [longTime(one.time), h("span", { class: `level-${one.level}` }, one.level), one.message,
        Object.entries(one.details).map(([key, value]) => `${key}=${value}`).join(" ")]), t("noErrors"));
  });
}

/**
 * @param {Element} place
 * @param {Api} api
 * @param {string} id
 */
export function showTrace(place, api, id) {
  const problem = h("p", { class: "problem", role: "alert" });
  const found = h("div", { class: "page wide" });
  const word = h("input", { name: "id", required: true, spellcheck: "false", autocomplete: "off", value: id });
  fill(place, h("section", { class: "page wide" }, h("h2", {}, t("trace")),
    h("form", {
      class: "row",
      onsubmit: (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        location.hash = `#/trace/${encodeURIComponent(word.value.trim())}`;
      },
    }, h("label", {}, t("messageID"), word), h("button", {}, t("traceButton"))),
    problem), found);
  if (id === "") return undefined;
  return trying(problem, async () => {
    const trace = await api.json("GET", `/operator/trace/${encodeURIComponent(id)}`);
    fill(found, trace.mailboxes.length === 0 ? h("p", { class: "empty" }, t("noTrace"))
      : trace.mailboxes.map((/** @type {any} */ box) => h("section", { class: "card" },
        h("h3", {}, h("a", { href: `#/accounts/${box.account}` }, box.name), `: ${box.flags.join(", ")}`),
        box.receivers.map((/** @type {import("../js/contract.js").Receiver} */ one) =>
          h("p", {}, `${plainAddress(one.address)}: ${clientWord(`state.${one.state}`)} `, h("time", { class: "hint" }, longTime(one.since)))),
        h("ul", {}, box.devices.map((/** @type {any} */ share) => h("li", {},
          `${share.decision.label}: ${clientWord(/** @type {"deliver.whole"} */ (`deliver.${share.decision.deliver}`))}, `,
          share.acknowledged ? t("acknowledged") : t("notAcknowledged"),
          h("span", { class: "hint" }, ` · ${share.decision.because}`)))))));
  });
}
