// Starts the page: signs in, opens the device, and shows what the address asks for.

import { Device, placeOfPage } from "./device.js";
import { fill, h, icon } from "./dom.js";
import { announce, withdraw } from "./popup.js";
import { availability, availabilityHere, isQuiet } from "./preferences.js";
import { showAccount } from "./views/account.js";
import { showContacts } from "./views/contacts.js";
import { showDevices } from "./views/devices.js";
import { showFiles } from "./views/files.js";
import { Messages } from "./views/messages.js";
import { showRules } from "./views/rules.js";
import { chooseDevice, signIn } from "./views/signin.js";
import { plainAddress, t } from "./words.js";

const place = placeOfPage();
if (place) await openPage(place);
else chooseDevice(document.body);

/** @param {{name: string, isDemo: boolean}} place */
async function openPage(place) {
  const storage = (place.isDemo ? "demo " : "") + place.name;
  let device = await Device.open(storage);
  if (!device && place.isDemo) {
    await registerDemo(storage, place.name);
    device = await Device.open(storage);
  }
  if (!device) return signIn(document.body, storage, place.name);
  if ("serviceWorker" in navigator) {
    const registration = await navigator.serviceWorker.register("worker.js");
    await navigator.serviceWorker.ready;
    registration.active?.postMessage({ token: device.registration.token });
  }
  showShell(device);
  device.start();
  return undefined;
}

/**
 * @param {string} storage
 * @param {string} name
 */
async function registerDemo(storage, name) {
  const demo = await (await fetch("/demo/devices.json")).json();
  const wanted = demo.devices.find((/** @type {{name: string}} */ one) => one.name === name);
  if (!wanted) return;
  await Device.register(storage, wanted.address, demo.password, { kind: wanted.kind, label: wanted.label });
}

/** @param {Device} device */
function showShell(device) {
  document.title = `${device.registration.label} · Continuo`;
  const banner = h("p", { class: "banner", role: "status", hidden: true });
  const main = h("main", { id: "main", tabindex: "-1" });
  const pages = /** @type {const} */ ([
    ["messages", "inbox"], ["contacts", "people"], ["files", "folder"], ["rules", "rules"], ["devices", "devices"], ["account", "account"],
  ]);
  const state = h("a", { class: "state", href: "#/account", hidden: true });
  const links = pages.map(([name, drawing]) =>
    h("a", { href: `#/${name}`, "data-page": name }, icon(drawing), h("span", {}, t(name))));
  fill(
    document.body,
    h("header", {},
      h("h1", {}, device.registration.label),
      h("p", { class: "whose" }, plainAddress(device.registration.addresses[0] ?? "")),
      state,
      h("nav", { "aria-label": "Continuo" }, links)),
    banner,
    main,
  );
  const messages = new Messages(device);

  const route = () => {
    const [, name, ...rest] = location.hash.split("/").map(decodeURIComponent);
    const page = pages.some(([one]) => one === name) ? name : "messages";
    for (const link of links) {
      if (link.dataset.page === page) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (page === "contacts") showContacts(main, device);
    else if (page === "files") showFiles(main, device);
    else if (page === "rules") showRules(main, device);
    else if (page === "devices") showDevices(main, device);
    else if (page === "account") showAccount(main, device);
    else messages.show(main, rest);
  };
  addEventListener("hashchange", route);
  route();

  const showAvailability = () => {
    const chosen = [availability(device), availabilityHere(device)].map((one) => one.state);
    const shown = chosen.includes("do-not-disturb") ? "do-not-disturb" : chosen.includes("busy") ? "busy" : "available";
    state.hidden = shown === "available";
    fill(state, t(`availability.${shown}`));
  };
  showAvailability();
  device.addEventListener("mailbox", showAvailability);
  // A state that holds until a time ends without a message.
  setInterval(showAvailability, 30_000);

  device.addEventListener("state", () => {
    const { state } = device;
    banner.hidden = state === "live" || state === "connecting";
    if (banner.hidden) return;
    fill(
      banner,
      t(`stream.${/** @type {"off" | "replaced" | "revoked"} */ (state)}`),
      state === "replaced" && h("button", { onclick: () => location.reload() }, t("useHere")),
    );
    if (state === "revoked") device.forget().then(() => location.reload());
  });
  device.addEventListener("mailbox", (event) => {
    for (const one of /** @type {CustomEvent<import("./mailbox.js").Event[]>} */ (event).detail) {
      if (one.type === "arrived" && !isQuiet(device)) announce(one.item);
      else if (one.type === "gone" || (one.type === "changed" && one.item.read)) withdraw(one.item);
    }
  });
  navigator.serviceWorker?.addEventListener("message", (event) => {
    if (event.data.open) location.hash = `#/messages/${encodeURIComponent(event.data.open)}`;
  });
}
