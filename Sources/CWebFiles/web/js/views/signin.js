// Makes this page a device.

import { Device } from "../device.js";
import { fill, h } from "../dom.js";
import { features, likelyKind, likelyLabel, featureNames } from "../features.js";
import { t } from "../words.js";

const kinds = /** @type {const} */ (["computer", "mobile", "tablet", "pda", "fixed-phone", "other"]);
const known = "continuo devices";

/** @typedef {{name: string, label: string, address: string}} Known */

/** @returns {Known[]} Devices that registered in this browser. */
function devices() {
  return JSON.parse(localStorage.getItem(known) ?? "[]");
}

/**
 * The first page: the devices that are here, or signing in.
 * @param {Element} root
 */
export function chooseDevice(root) {
  const here = devices();
  const fresh = `device-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
  if (here.length === 0) return signIn(root, fresh, fresh);
  fill(root, h("main", { class: "sheet" },
    h("h1", {}, "Continuo"),
    h("h2", {}, t("yourDevices")),
    h("ul", { class: "cards" }, here.map((one) =>
      h("li", {}, h("a", { href: `/d/${one.name}/` }, h("strong", {}, one.label), h("span", {}, one.address))))),
    h("button", { onclick: () => signIn(root, fresh, fresh) }, t("anotherDevice"))));
  return undefined;
}

/**
 * @param {Element} root
 * @param {string} storage
 * @param {string} name
 */
export function signIn(root, storage, name) {
  const address = h("input", { name: "address", required: true, autocomplete: "username", spellcheck: "false" });
  const password = h("input", { name: "password", type: "password", required: true, autocomplete: "current-password" });
  const label = h("input", { name: "label", required: true, maxLength: 80, value: likelyLabel() });
  const kind = h("select", { name: "kind" }, kinds.map((one) =>
    h("option", { value: one, selected: one === likelyKind() }, t(`kind.${one}`))));
  const problem = h("p", { class: "problem", role: "alert" });
  const button = h("button", { class: "primary" }, t("signIn"));
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    button.disabled = true;
    fill(problem);
    try {
      await Device.register(storage, address.value.trim(), password.value, {
        kind: kind.value, label: label.value.trim(), capabilities: { accepts: ["*/*"], features: await features() },
      });
      const all = devices().filter((one) => one.name !== name);
      localStorage.setItem(known, JSON.stringify([...all, { name, label: label.value.trim(), address: address.value.trim() }]));
      location.assign(`/d/${name}/`);
    } catch (error) {
      fill(problem, error instanceof Error ? error.message : String(error));
      button.disabled = false;
    }
  };
  const can = h("p", { class: "hint" });
  features().then((found) => fill(can, t("canDo", { features: featureNames(found) })));
  fill(root, h("main", { class: "sheet" },
    h("h1", {}, "Continuo"),
    h("p", {}, t("signInLead")),
    h("form", { onsubmit: submit },
      h("label", {}, t("address"), address),
      h("label", {}, t("password"), password),
      h("label", {}, t("deviceName"), label),
      h("label", {}, t("deviceKind"), kind),
      can, problem, button)));
  address.focus();
}

/**
 * The device was signed out: this browser no longer lists it.
 * @param {string} name
 */
export function forgetDevice(name) {
  localStorage.setItem(known, JSON.stringify(devices().filter((one) => one.name !== name)));
}
