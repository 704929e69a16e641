// A question with some answers, in a dialog.

import { h } from "../dom.js";
import { t } from "../words.js";

/** @typedef {import("../contract.js").DeviceStatus} DeviceStatus */

/**
 * Shows fields, and gives what the person chose; null when they did not want to.
 * @template Answer
 * @param {string} title
 * @param {(Element | null)[]} fields
 * @param {{name: string, answer: () => Answer}[]} answers the first is what one most likely wants
 * @returns {Promise<Answer | null>}
 */
export function choose(title, fields, answers) {
  return new Promise((resolve) => {
    /** @type {Answer | null} */
    let given = null;
    const dialog = h("dialog", { "aria-label": title },
      h("h2", {}, title), fields,
      h("div", { class: "row" },
        answers.map(({ name, answer }, index) => h("button", {
          type: "button", class: index === 0 ? "primary" : undefined,
          onclick: () => {
            given = answer();
            dialog.close();
          },
        }, name)),
        h("button", { type: "button", onclick: () => dialog.close() }, t(answers.length > 0 ? "cancel" : "close"))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * The person's devices that are there and can do something, this one first.
 * @param {import("../device.js").Device} device
 * @param {(features: string[]) => boolean} isAble
 * @returns {Promise<DeviceStatus[]>}
 */
export async function ableDevices(device, isAble) {
  /** @type {{devices: DeviceStatus[]}} */
  const { devices } = await device.api.json("GET", "/v1/devices");
  return devices.filter((one) => one.isRegistered && isAble(one.device.capabilities.features))
    .sort((one, other) => Number(other.isThis) - Number(one.isThis) || Number(other.isConnected) - Number(one.isConnected));
}

/**
 * @param {string} label
 * @param {DeviceStatus[]} devices
 */
export function deviceField(label, devices) {
  const select = h("select", {}, devices.map((one) =>
    h("option", { value: String(one.device.id) },
      one.device.label + (one.isThis ? ` (${t("thisDevice")})` : one.isConnected ? "" : ` (${t("registered")})`))));
  return { field: h("label", {}, label, select), value: () => Number(select.value) };
}

/** @type {Record<string, (features: string[]) => boolean>} What a device must be able to do for a medium. */
export const abilities = {
  text: () => true,
  audio: (features) => features.includes("audio"),
  video: (features) => features.includes("video"),
  "stored-video": (features) => features.some((one) => one === "video" || one.startsWith("screen-")),
};
