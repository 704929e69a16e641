// Whether the person wants to be disturbed, and from whom nothing is taken.

import { attempt, fill, follow, h, icon } from "../dom.js";
import { availability, availabilityHere, block, blocked, changeSettings, settings } from "../preferences.js";
import { longTime, plainAddress, t } from "../words.js";

/**
 * @typedef {import("../device.js").Device} Device
 * @typedef {import("../contract.js").Availability} Availability
 */

const states = /** @type {const} */ (["available", "busy", "do-not-disturb"]);
const hour = 3_600_000;

/** @param {Device} device */
export function availabilityForm(device) {
  return h("section", { class: "card" },
    h("h3", {}, t("availability")),
    h("p", { class: "hint" }, t("availabilityLead")),
    row(device, t("availabilityMine"), () => availability(device), (chosen) =>
      device.api.json("PUT", "/v1/availability", chosen)),
    row(device, t("availabilityHere"), () => availabilityHere(device), (chosen) =>
      device.api.json("PATCH", `/v1/devices/${device.registration.device}`, { availability: chosen })));
}

/**
 * @param {Device} device
 * @param {string} legend
 * @param {() => Availability} read
 * @param {(chosen: Availability) => Promise<unknown>} write
 */
function row(device, legend, read, write) {
  const problem = h("p", { class: "problem", role: "alert" });
  const state = h("select", {}, states.map((one) => h("option", { value: one }, t(`availability.${one}`))));
  const until = h("select", {});
  const set = async () => {
    const value = /** @type {Availability["state"]} */ (state.value);
    const end = until.value === "" || value === "available" ? undefined : until.value;
    // What is shown is what holds.
    if (!await attempt(problem, () => write({ state: value, until: end }))) draw();
  };
  const draw = () => {
    const { state: now, until: end } = read();
    state.value = now;
    const morning = new Date();
    morning.setDate(morning.getDate() + 1);
    morning.setHours(8, 0, 0, 0);
    const ends = [new Date(Date.now() + hour), new Date(Date.now() + 4 * hour), morning];
    fill(until,
      h("option", { value: "" }, t("untilChanged")),
      end && h("option", { value: end, selected: true }, longTime(end)),
      ends.map((one, index) => h("option", { value: one.toISOString() },
        t(/** @type {const} */ (["forAnHour", "forFourHours", "untilMorning"])[index]))));
    until.disabled = now === "available";
  };
  state.onchange = set;
  until.onchange = set;
  draw();
  follow(device, state, draw);
  return h("fieldset", {}, h("legend", {}, legend),
    h("label", {}, t("availabilityState"), state), h("label", {}, t("availabilityUntil"), until), problem);
}

/** @param {Device} device */
export function blockedSenders(device) {
  const list = h("ul", { class: "lines" });
  const problem = h("p", { class: "problem", role: "alert" });
  const address = h("input", { name: "blocked", required: true, autocomplete: "off", spellcheck: "false" });
  const tell = h("input", { type: "checkbox" });
  tell.onchange = async () => {
    if (!await attempt(problem, () => changeSettings(device, { refuseBlocked: tell.checked }))) draw();
  };
  const draw = () => {
    tell.checked = settings(device).refuseBlocked;
    fill(list, blocked(device).map((one) => h("li", {}, h("span", {}, plainAddress(one)),
      h("button", {
        type: "button", class: "quiet", "aria-label": t("unblock", { from: plainAddress(one) }),
        onclick: () => attempt(problem, () => block(device, one, false)),
      }, icon("close")))));
  };
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (await attempt(problem, () => block(device, address.value.trim(), true))) address.value = "";
  };
  draw();
  follow(device, list, draw);
  return h("form", { class: "card", onsubmit: submit },
    h("h3", {}, t("blockedSenders")),
    h("p", { class: "hint" }, t("blockedLead")),
    list,
    h("div", { class: "row" }, h("label", {}, t("address"), address), h("button", {}, t("blockThis"))),
    h("label", { class: "box" }, tell, t("refuseBlocked")),
    problem);
}
