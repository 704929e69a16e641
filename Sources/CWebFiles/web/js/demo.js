// Two people with three devices each, side by side.

import { fill, h } from "./dom.js";
import { plainAddress, t } from "./words.js";

/** @type {{devices: {name: string, label: string, kind: string, address: string, origin?: string}[]}} */
const { devices } = await (await fetch("/demo/devices.json")).json();
const people = new Map(devices.map((device) => [device.address, devices.filter((one) => one.address === device.address)]));
const several = devices.some((device) => device.origin);
/** @param {string} address */
const domain = (address) => address.slice(address.lastIndexOf("@") + 1);
document.title = t("demoTitle");
fill(document.body,
  h("header", {}, h("h1", {}, t("demoTitle")), h("p", {}, t(several ? "demoLeadProviders" : "demoLead"))),
  h("main", {}, [...people].map(([address, own]) =>
    h("section", { "aria-label": plainAddress(address) },
      h("h2", {}, plainAddress(address), own[0].origin || several
        ? h("span", { class: "hint" }, t("demoProvider", { provider: domain(address), origin: own[0].origin ?? location.origin })) : null),
      h("div", { class: "frames", tabindex: "0", role: "group", "aria-label": t("devices") }, own.map((device) =>
        h("iframe", {
          class: device.kind, title: device.label, src: `${device.origin ?? ""}/demo/d/${device.name}/`, allow: "camera; microphone; autoplay; fullscreen",
        })))))));
