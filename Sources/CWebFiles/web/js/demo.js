// Two people with three devices each, side by side.

import { fill, h } from "./dom.js";
import { plainAddress, t } from "./words.js";

/** @type {{devices: {name: string, label: string, kind: string, address: string}[]}} */
const { devices } = await (await fetch("/demo/devices.json")).json();
const people = new Map(devices.map((device) => [device.address, devices.filter((one) => one.address === device.address)]));
document.title = t("demoTitle");
fill(document.body,
  h("header", {}, h("h1", {}, t("demoTitle")), h("p", {}, t("demoLead"))),
  h("main", {}, [...people].map(([address, own]) =>
    h("section", { "aria-label": plainAddress(address) },
      h("h2", {}, plainAddress(address)),
      h("div", { class: "frames", tabindex: "0", role: "group", "aria-label": t("devices") }, own.map((device) =>
        h("iframe", {
          class: device.kind, title: device.label, src: `/demo/d/${device.name}/`, allow: "camera; microphone; autoplay; fullscreen",
        })))))));
