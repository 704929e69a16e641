// Accounts: find, make, change, credit; their devices and ledger.

import { append, fill, h } from "../js/dom.js";
import { bytes, longTime, number, plainAddress, t as clientWord } from "../js/words.js";
import { table } from "./table.js";
import { t } from "./words.js";

/**
 * @typedef {import("../js/api.js").Api} Api
 * @typedef {{id: number, name: string, addresses: string[], balance: number, suspended: boolean, usedBytes: number,
 *   quotaBytes: number}} Account
 */

/**
 * @param {Element} place
 * @param {Api} api
 */
export function showAccounts(place, api) {
  /** @type {Account[]} */
  let shown = [];
  const list = h("div", {});
  const editor = h("div", {});
  const problem = h("p", { class: "problem", role: "alert" });
  const word = h("input", { name: "word", required: true, spellcheck: "false", autocomplete: "off" });
  const more = h("button", { hidden: true, onclick: () => page() }, t("more"));
  const columns = [
    { title: t("number"), isNumber: true }, { title: t("name") }, { title: t("addresses") },
    { title: t("balance"), isNumber: true }, { title: t("used"), isNumber: true }, { title: t("state") },
  ];
  const draw = () => fill(list, table(t("accounts"), columns, shown.map((one) => [
    one.id, h("a", { href: `#/accounts/${one.id}` }, one.name), one.addresses.map(plainAddress).join(", "),
    number(one.balance), bytes(one.usedBytes), one.suspended ? t("suspended") : t("active"),
  ]), t("more")));
  const page = async () => {
    const after = shown[shown.length - 1]?.id ?? 0;
    /** @type {{accounts: Account[], next?: number}} */
    const answer = await api.json("GET", `/operator/accounts?after=${after}&limit=50`);
    shown = [...shown, ...answer.accounts];
    more.hidden = answer.next === undefined;
    draw();
  };
  const find = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    await trying(problem, async () => {
      const account = await api.json("GET", `/operator/accounts/${encodeURIComponent(word.value.trim())}`);
      location.hash = `#/accounts/${account.id}`;
    });
  };
  const create = () => {
    fill(editor, accountForm(api, () => fill(editor)));
    editor.querySelector("input")?.focus();
  };
  fill(place, h("section", { class: "page wide" },
    h("h2", {}, t("accounts")),
    h("form", { class: "row", onsubmit: find },
      h("label", {}, t("find"), word), h("button", {}, t("findButton")),
      h("button", { type: "button", onclick: create }, t("newAccount"))),
    problem, editor, list, more));
  trying(problem, page);
}

/**
 * @param {Api} api
 * @param {() => void} close
 */
function accountForm(api, close) {
  const name = h("input", { name: "name", required: true, maxLength: 80 });
  const addresses = h("input", { name: "addresses", required: true, spellcheck: "false", placeholder: t("addressesHint") });
  const password = h("input", { name: "password", type: "password", required: true, autocomplete: "new-password" });
  const problem = h("p", { class: "problem", role: "alert" });
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    return trying(problem, async () => {
      const account = await api.json("POST", "/operator/accounts", {
        name: name.value.trim(), addresses: pieces(addresses.value), password: password.value,
      });
      location.hash = `#/accounts/${account.id}`;
    });
  };
  return h("form", { class: "card", onsubmit: submit },
    h("label", {}, t("name"), name), h("label", {}, t("addresses"), addresses),
    h("label", {}, t("password"), password), problem,
    h("div", { class: "row" }, h("button", { class: "primary" }, t("create")),
      h("button", { type: "button", onclick: close }, t("cancel"))));
}

/**
 * @param {Element} place
 * @param {Api} api
 * @param {string} id
 */
export async function showAccount(place, api, id) {
  const problem = h("p", { class: "problem", role: "alert" });
  const page = h("section", { class: "page wide" }, h("p", {}, h("a", { href: "#/accounts" }, t("back"))), problem);
  fill(place, page);
  await trying(problem, async () => {
    const path = `/operator/accounts/${encodeURIComponent(id)}`;
    /** @type {[Account, {devices: import("../js/contract.js").DeviceStatus[]}, {lines: any[]}]} */
    const [account, { devices }, { lines }] = await Promise.all([
      api.json("GET", path), api.json("GET", `${path}/devices`), api.json("GET", `${path}/ledger?limit=50`),
    ]);
    const again = () => showAccount(place, api, id);
    const change = (/** @type {unknown} */ body) => trying(problem, async () => {
      await api.json("PATCH", path, body);
      again();
    });
    append(page, [
      h("h2", {}, account.name),
      h("p", { class: account.suspended ? "problem" : "good" }, account.suspended ? t("suspended") : t("active")),
      h("dl", {}, h("dt", {}, t("number")), h("dd", {}, account.id), h("dt", {}, t("balance")), h("dd", {}, number(account.balance)),
        h("dt", {}, t("used")), h("dd", {}, clientWord("storageUse", { used: bytes(account.usedBytes), quota: bytes(account.quotaBytes) }))),
      changeForm(account, change),
      creditForm(api, path, problem, again),
      h("h3", {}, t("devices")),
      table(t("devices"), [{ title: t("number"), isNumber: true }, { title: t("name") }, { title: t("kind") },
        { title: t("state") }, { title: t("seen") }, { title: t("act") }],
      devices.map((one) => [
        one.device.id, one.device.label, clientWord(/** @type {"kind.mobile"} */ (`kind.${one.device.kind}`)),
        one.isConnected ? t("connected") : one.isRegistered ? t("registered") : t("away"), longTime(one.lastSeen),
        h("button", {
          onclick: () => {
            if (!confirm(t("revokeQuestion", { label: one.device.label }))) return;
            trying(problem, async () => {
              await api.json("DELETE", `${path}/devices/${one.device.id}`);
              again();
            });
          },
        }, t("revoke")),
      ]), t("noDevices")),
      h("h3", {}, t("ledger")),
      table(t("ledger"), [{ title: t("time") }, { title: t("what") }, { title: t("amount"), isNumber: true },
        { title: t("balance"), isNumber: true }],
      lines.map((line) => [longTime(line.time), line.note ?? line.kind, number(line.amount), number(line.balance)]), t("noLedger")),
    ]);
  });
}

/**
 * @param {Account} account
 * @param {(body: unknown) => void} change
 */
function changeForm(account, change) {
  const addresses = h("input", { name: "addresses", required: true, spellcheck: "false", value: account.addresses.map(plainAddress).join(", ") });
  return h("form", {
    class: "card",
    onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      change({ addresses: pieces(addresses.value) });
    },
  },
  h("label", {}, `${t("addresses")} (${t("addressesHint")})`, addresses),
  h("div", { class: "row" }, h("button", { class: "primary" }, t("save")),
    h("button", { type: "button", onclick: () => change({ suspended: !account.suspended }) },
      account.suspended ? t("resume") : t("suspend"))));
}

/**
 * @param {Api} api
 * @param {string} path
 * @param {Element} problem
 * @param {() => void} done
 */
function creditForm(api, path, problem, done) {
  const amount = h("input", { name: "amount", type: "number", step: "1", required: true });
  const note = h("input", { name: "note", maxLength: 200 });
  return h("form", {
    class: "card",
    onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      trying(problem, async () => {
        await api.json("POST", `${path}/credit`, { amount: Number(amount.value), note: note.value.trim() || undefined });
        done();
      });
    },
  },
  h("div", { class: "row" }, h("label", {}, t("amount"), amount), h("label", {}, t("note"), note), h("button", {}, t("book"))));
}

/** @param {string} text */
function pieces(text) {
  return text.split(",").map((one) => one.trim()).filter((one) => one !== "");
}

/**
 * Does something, and says what went wrong.
 * @param {Element} problem
 * @param {() => Promise<void>} body
 */
export async function trying(problem, body) {
  fill(problem);
  try {
    await body();
  } catch (error) {
    fill(problem, error instanceof Error ? error.message : String(error));
  }
}
