// The person's devices.

import { attempt, fill, h } from "../dom.js";
import { featureNames } from "../features.js";
import { changeSettings, settings } from "../preferences.js";
import { longTime, t } from "../words.js";

/** What one may show to those in the same conversation. */
const tellings = /** @type {const} */ (["nothing", "capabilities", "devices"]);

/**
 * @param {Element} place
 * @param {import("../device.js").Device} device
 */
export async function showDevices(place, device) {
  const list = h("ul", { class: "cards" });
  const problem = h("p", { class: "problem", role: "alert" });
  const shown = h("select", {}, tellings.map((one) => h("option", { value: one }, t(`tell.${one}`))));
  const draw = () => { shown.value = settings(device).tellDevices ?? "capabilities"; };
  shown.onchange = async () => {
    const tellDevices = /** @type {"devices"} */ (shown.value);
    // What is shown is what holds.
    if (!await attempt(problem, () => changeSettings(device, { tellDevices }))) draw();
  };
  draw();
  fill(place, h("section", { class: "page" },
    h("h2", {}, t("devices")), problem, list, h("label", {}, t("tellDevices"), shown)));
  /** @type {{devices: import("../contract.js").DeviceStatus[]}} */
  const { devices } = await device.api.json("GET", "/v1/devices");
  const again = () => (list.isConnected ? showDevices(place, device) : undefined);
  fill(list, devices.map((status) => {
    const { device: one } = status;
    const state = status.isConnected ? "connected" : status.isRegistered ? "registered" : "away";
    const rename = async () => {
      const label = prompt(t("deviceName"), one.label)?.trim();
      if (!label) return;
      await attempt(problem, async () => {
        await device.api.json("PATCH", `/v1/devices/${one.id}`, { label });
        await again();
      });
    };
    const revoke = async () => {
      if (!confirm(t("revokeQuestion", { label: one.label }))) return;
      await attempt(problem, async () => {
        await device.api.json("DELETE", `/v1/devices/${one.id}`);
        await again();
      });
    };
    return h("li", { class: status.isThis ? "this" : undefined },
      h("strong", {}, one.label),
      h("span", { class: "hint" }, t(/** @type {"kind.mobile"} */ (`kind.${one.kind}`)), status.isThis && ` · ${t("thisDevice")}`),
      h("span", { class: `presence ${state}` }, t(state)),
      one.availability.state !== "available" && h("span", { class: "hint" }, t(`availability.${one.availability.state}`)),
      one.capabilities.features.length > 0 && h("span", { class: "hint" }, t("canDo", { features: featureNames(one.capabilities.features) })),
      h("span", { class: "hint" }, t("lastSeen", { time: longTime(status.lastSeen) })),
      h("div", { class: "row" },
        h("button", { onclick: rename }, t("rename")),
        !status.isThis && h("button", { onclick: revoke }, t("revoke"))));
  }));
}
