// What each device gets of a message: rules that read as sentences, and a trial of them.

import { fill, h, icon } from "../dom.js";
import { bytes, plainAddress, t } from "../words.js";
import { listsOf } from "./contacts.js";

/**
 * @typedef {import("../contract.js").Deliver} Deliver
 * @typedef {{to?: string[], from?: string[], fromLists?: string[], availability?: string[], media?: string[], atLeastBytes?: number, deviceKinds?: string[]}} Conditions
 * @typedef {{name: string, when: Conditions, unless?: Conditions, then: {deliver: Deliver, silent?: boolean}}} Rule
 * @typedef {{rules?: Rule[], otherwise?: {deliver: Deliver, silent?: boolean}}} RuleList
 * @typedef {{revision?: number, incoming?: RuleList}} RuleBook
 */

const kinds = /** @type {const} */ (["mobile", "fixed-phone", "computer", "pda", "tablet", "other"]);
const states = /** @type {const} */ (["available", "busy", "do-not-disturb"]);
const media = /** @type {const} */ (["image/*", "video/*", "audio/*", "application/*", "text/*"]);
/** What a trial sends of each. */
const examples = { "image/*": "image/jpeg", "video/*": "video/mp4", "audio/*": "audio/mpeg", "application/*": "application/pdf", "text/*": "text/plain" };
const outcomes = /** @type {const} */ (["whole", "notification", "nothing"]);
/** What the form can say; a rule that says more is shown, moved and removed, but written elsewhere. */
const editable = new Set(["to", "from", "fromLists", "availability", "media", "atLeastBytes", "deviceKinds"]);

/**
 * @param {Element} place
 * @param {import("../device.js").Device} device
 */
export async function showRules(place, device) {
  const page = h("section", { class: "page" }, h("h2", {}, t("rules")));
  fill(place, page);
  /** @type {RuleBook} */
  const book = await device.api.json("GET", "/v1/rules");
  const list = book.incoming ?? {};
  const rules = list.rules ?? [];
  const problem = h("p", { class: "problem", role: "alert" });
  const save = async (/** @type {Rule[]} */ changed, /** @type {Deliver} */ otherwise = list.otherwise?.deliver ?? "whole") => {
    try {
      await device.api.json("PUT", "/v1/rules", {
        ...book, incoming: { ...list, rules: changed, otherwise: { ...list.otherwise, deliver: otherwise } },
      });
      await showRules(place, device);
    } catch (error) {
      fill(problem, error instanceof Error ? error.message : String(error));
    }
  };
  const moved = (/** @type {number} */ index, /** @type {number} */ by) => {
    const changed = [...rules];
    const [one] = changed.splice(index, 1);
    changed.splice(index + by, 0, one);
    return changed;
  };
  const otherwise = choice("otherwise", outcomes, (one) => t(`deliver.${one}`), list.otherwise?.deliver ?? "whole");
  otherwise.onchange = () => save(rules, /** @type {Deliver} */ (otherwise.value));
  const editor = h("div", {});
  const edit = (/** @type {Rule | null} */ rule, /** @type {number} */ index) => {
    fill(editor, form(device, rule, (/** @type {Rule} */ changed) => {
      save(index < rules.length ? rules.map((one, at) => (at === index ? changed : one)) : [...rules, changed]);
    }, () => fill(editor)));
    editor.querySelector("input")?.focus();
  };
  fill(page,
    h("h2", {}, t("rules")),
    h("p", { class: "hint" }, t("rulesLead")),
    problem,
    h("ol", { class: "rules" }, rules.map((rule, index) =>
      h("li", {},
        h("div", {}, h("strong", {}, rule.name), h("p", {}, sentence(rule))),
        h("div", { class: "row" },
          h("button", { class: "quiet", disabled: index === 0, "aria-label": t("moveUp", { name: rule.name }), onclick: () => save(moved(index, -1)) }, "↑"),
          h("button", { class: "quiet", disabled: index === rules.length - 1, "aria-label": t("moveDown", { name: rule.name }), onclick: () => save(moved(index, 1)) }, "↓"),
          isEditable(rule) && h("button", { class: "quiet", "aria-label": t("editRule", { name: rule.name }), onclick: () => edit(rule, index) }, icon("write")),
          h("button", { class: "quiet", "aria-label": t("removeRule", { name: rule.name }), onclick: () => save(rules.filter((one) => one !== rule)) }, icon("trash")))))),
    h("div", { class: "row" },
      h("label", {}, t("otherwise"), otherwise),
      h("button", { onclick: () => edit(null, rules.length) }, t("newRule"))),
    editor,
    trial(device));
}

/**
 * @param {Rule} rule
 */
function isEditable(rule) {
  const unless = Object.keys(rule.unless ?? {});
  return Object.keys(rule.when).every((key) => editable.has(key)) && unless.every((key) => key === "deviceKinds")
    && !(unless.length > 0 && rule.when.deviceKinds);
}

/**
 * "Messages to business@…, with pictures: only a notification, on: Mobile phone."
 * @param {Rule} rule
 */
function sentence(rule) {
  const { when, unless } = rule;
  const pieces = [
    when.to && t("rule.to", { addresses: when.to.map(plainAddress).join(", ") }),
    when.from && t("rule.from", { addresses: when.from.map(plainAddress).join(", ") }),
    when.fromLists && t("rule.fromLists", { lists: when.fromLists.join(", ") }),
    when.availability && t("rule.while", { states: when.availability.map(stateName).join(", ") }),
    when.media && t("rule.media", { media: when.media.map(mediaName).join(", ") }),
    when.atLeastBytes !== undefined && t("rule.size", { size: bytes(when.atLeastBytes) }),
    when.deviceKinds && t("rule.on", { kinds: when.deviceKinds.map(kindName).join(", ") }),
    unless?.deviceKinds && t("rule.except", { kinds: unless.deviceKinds.map(kindName).join(", ") }),
    !isEditable(rule) && t("rule.more"),
  ].filter(Boolean);
  return `${pieces.join("; ") || t("rule.always")}: ${t(`deliver.${rule.then.deliver}`)}`;
}

/** @param {string} kind */
function kindName(kind) {
  return t(/** @type {"kind.mobile"} */ (`kind.${kind}`));
}

/** @param {string} state */
function stateName(state) {
  return t(/** @type {"availability.busy"} */ (`availability.${state}`));
}

/** @param {string} pattern */
function mediaName(pattern) {
  return media.includes(/** @type {"text/*"} */ (pattern)) ? t(/** @type {"media.text/*"} */ (`media.${pattern}`)) : pattern;
}

/**
 * @template {string} Value
 * @param {string} name
 * @param {readonly Value[]} values
 * @param {(value: Value) => string} say
 * @param {string} [chosen]
 */
function choice(name, values, say, chosen) {
  return h("select", { name }, values.map((one) => h("option", { value: one, selected: one === chosen }, say(one))));
}

/**
 * @param {string} legend
 * @param {readonly string[]} values
 * @param {(value: string) => string} say
 * @param {string[]} [chosen]
 */
function boxes(legend, values, say, chosen = []) {
  const all = values.map((value) => h("input", { type: "checkbox", value, checked: chosen.includes(value) }));
  const set = h("fieldset", {}, h("legend", {}, legend),
    all.map((box) => h("label", { class: "box" }, box, say(box.value))));
  return { set, values: () => all.filter((box) => box.checked).map((box) => box.value) };
}

/** @param {string} text */
function addresses(text) {
  return text.split(",").map((one) => one.trim()).filter((one) => one !== "");
}

/**
 * @param {import("../device.js").Device} device
 * @param {Rule | null} rule
 * @param {(rule: Rule) => void} save
 * @param {() => void} close
 */
function form(device, rule, save, close) {
  const name = h("input", { required: true, maxLength: 80, value: rule?.name ?? "" });
  const own = boxes(t("rule.toField"), device.registration.addresses, plainAddress, rule?.when.to);
  const from = h("input", { placeholder: t("toHint"), value: rule?.when.from?.map(plainAddress).join(", ") ?? "" });
  // A list that nobody is on any more stays in the rule until it is taken out.
  const names = [...new Set([...listsOf(device).keys(), ...(rule?.when.fromLists ?? [])])];
  const lists = boxes(t("rule.fromListsField"), names, (one) => one, rule?.when.fromLists);
  const during = boxes(t("rule.whileField"), states, stateName, rule?.when.availability);
  const parts = boxes(t("rule.mediaField"), media, mediaName, rule?.when.media);
  const size = h("input", { type: "number", min: "0", step: "any", value: rule?.when.atLeastBytes === undefined ? "" : String(rule.when.atLeastBytes / 1e6) });
  const mode = choice("mode", /** @type {const} */ (["only", "except"]), (one) => t(`rule.${one}Mode`), rule?.unless?.deviceKinds ? "except" : "only");
  const on = boxes(t("rule.onField"), kinds, kindName, rule?.unless?.deviceKinds ?? rule?.when.deviceKinds);
  const then = choice("then", outcomes, (one) => t(`deliver.${one}`), rule?.then.deliver ?? "notification");
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    /** @type {Conditions} */
    const when = {};
    if (own.values().length > 0) when.to = own.values();
    if (addresses(from.value).length > 0) when.from = addresses(from.value);
    if (lists.values().length > 0) when.fromLists = lists.values();
    if (during.values().length > 0) when.availability = during.values();
    if (parts.values().length > 0) when.media = parts.values();
    if (size.value !== "") when.atLeastBytes = Math.round(Number(size.value) * 1e6);
    const chosen = on.values();
    if (chosen.length > 0 && mode.value === "only") when.deviceKinds = chosen;
    save({
      name: name.value.trim(),
      when,
      unless: chosen.length > 0 && mode.value === "except" ? { deviceKinds: chosen } : undefined,
      then: { ...rule?.then, deliver: /** @type {Deliver} */ (then.value) },
    });
  };
  return h("form", { class: "card", onsubmit: submit },
    h("label", {}, t("rule.name"), name), own.set, h("label", {}, t("rule.fromField"), from),
    names.length > 0 && lists.set, during.set, parts.set,
    h("label", {}, t("rule.sizeField"), size), h("label", {}, t("rule.mode"), mode), on.set,
    h("label", {}, t("rule.then"), then),
    h("div", { class: "row" }, h("button", { class: "primary" }, t("save")), h("button", { type: "button", onclick: close }, t("cancel"))));
}

/**
 * "For this message, on each device: …, because …"
 * @param {import("../device.js").Device} device
 */
function trial(device) {
  const from = h("input", { required: true, spellcheck: "false" });
  const to = choice("to", device.registration.addresses, plainAddress);
  const type = choice("type", media, mediaName, "text/*");
  const size = h("input", { type: "number", min: "0", step: "any", value: "0.1" });
  const answer = h("div", { role: "status" });
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    try {
      const { devices } = await device.api.json("POST", "/v1/rules/dry-run", {
        from: from.value.trim(), to: [to.value], mediaTypes: [examples[/** @type {"text/*"} */ (type.value)]], bytes: Math.round(Number(size.value) * 1e6),
      });
      fill(answer, h("ul", { class: "cards" }, devices.map((/** @type {any} */ one) =>
        h("li", {}, h("strong", {}, one.label), h("span", {}, t(/** @type {"deliver.whole"} */ (`deliver.${one.deliver}`))),
          h("span", { class: "hint" }, one.because)))));
    } catch (error) {
      fill(answer, h("p", { class: "problem" }, error instanceof Error ? error.message : String(error)));
    }
  };
  return h("form", { class: "card", onsubmit: submit }, h("h3", {}, t("trial")),
    h("label", {}, t("trial.from"), from), h("label", {}, t("to"), to), h("label", {}, t("trial.media"), type),
    h("label", {}, t("trial.size"), size), h("div", { class: "row" }, h("button", {}, t("trial.run"))), answer);
}
