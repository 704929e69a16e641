// What stands around every page: whose device it is, the ways to its pages, and what is wrong with the connection.

import { fill, h, icon } from "./dom.js";
import { announce, withdraw } from "./popup.js";
import { availability, availabilityHere, isQuiet } from "./preferences.js";
import { Messages } from "./views/messages.js";
import { Requests } from "./views/requests.js";
import { plainAddress, t } from "./words.js";

/** Pages that are loaded when one goes there. */
const views = {
  contacts: async () => (await import("./views/contacts.js")).showContacts,
  files: async () => (await import("./views/files.js")).showFiles,
  rules: async () => (await import("./views/rules.js")).showRules,
  devices: async () => (await import("./views/devices.js")).showDevices,
  account: async () => (await import("./views/account.js")).showAccount,
};

/** @param {import("./device.js").Device} device */
export function showShell(device) {
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
      h("div", {},
        h("h1", {}, device.registration.label),
        h("p", { class: "whose" }, plainAddress(device.registration.addresses[0] ?? ""))),
      state,
      h("nav", { "aria-label": "Continuo" }, links)),
    banner,
    main,
  );
  const messages = new Messages(device);
  new Requests(device);

  let asked = 0;
  const route = async () => {
    const [, name, ...rest] = location.hash.split("/").map(decoded);
    const page = pages.some(([one]) => one === name) ? name : "messages";
    for (const link of links) {
      if (link.dataset.page === page) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    asked += 1;
    const turn = asked;
    if (page === "messages") {
      messages.show(main, rest);
      return;
    }
    try {
      const show = await views[/** @type {keyof typeof views} */ (page)]();
      if (turn === asked) await show(main, device);
    } catch (error) {
      if (turn === asked) fill(main, h("p", { class: "empty" }, error instanceof TypeError ? t("stream.off") : String(error)));
    }
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
    // Whoever was off-line is so until the connection is there.
    if (state === "connecting") return;
    banner.hidden = state === "live";
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

/**
 * A piece of the page's address; one that nobody encoded stands for itself.
 * @param {string} piece
 */
function decoded(piece) {
  try {
    return decodeURIComponent(piece);
  } catch {
    return piece;
  }
}
