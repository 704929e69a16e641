// The account, and what this page may do.

import { placeOfPage } from "../device.js";
import { attempt, fill, h } from "../dom.js";
import { bytes, number, plainAddress, t } from "../words.js";
import { availabilityForm, blockedSenders } from "./availability.js";
import { forgetDevice } from "./signin.js";

/**
 * @param {Element} place
 * @param {import("../device.js").Device} device
 */
export async function showAccount(place, device) {
  const page = h("section", { class: "page" }, h("h2", {}, t("account")));
  fill(place, page);
  const account = await device.api.json("GET", "/v1/account");
  const problem = h("p", { class: "problem", role: "alert" });
  const signOut = async () => {
    if (!await attempt(problem, () => device.signOut())) return;
    forgetDevice(placeOfPage()?.name ?? "");
    location.assign("/");
  };
  const canAsk = "Notification" in window && Notification.permission === "default";
  const ask = h("button", { onclick: () => Notification.requestPermission().then(() => ask.remove()) }, t("notifications"));
  fill(page,
    h("h2", {}, account.name || t("account")),
    h("dl", {},
      h("dt", {}, t("addresses")), h("dd", {}, account.addresses.map(plainAddress).join(", ")),
      h("dt", {}, t("credit")), h("dd", {}, number(account.balance)),
      h("dt", {}, t("storage")),
      h("dd", {}, t("storageUse", { used: bytes(account.usedBytes), quota: bytes(account.quotaBytes) }),
        h("meter", { max: account.quotaBytes, value: account.usedBytes, "aria-label": t("storage") }))),
    availabilityForm(device),
    blockedSenders(device),
    h("div", { class: "row" }, canAsk && ask, h("button", { onclick: signOut }, t("signOut"))),
    problem);
}
