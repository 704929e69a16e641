// The operator's page: figures, accounts, queue, errors, and what happened to a message.

import { Api } from "../js/api.js";
import { Problem } from "../js/contract.js";
import { fill, h } from "../js/dom.js";
import { showAccount, showAccounts } from "./accounts.js";
import { showErrors, showQueue, showTrace } from "./lists.js";
import { showOverview } from "./overview.js";
import { t } from "./words.js";

/** The token lives as long as the tab. */
const tokenName = "continuo operator";

document.title = t("title");
takeTokenOfLink();
start();

/** A link may bring the token behind the `#`, which no server ever sees; it is not left in the address. */
function takeTokenOfLink() {
  const found = /^#token=([\w-]+)$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(tokenName, found[1]);
  history.replaceState(null, "", location.pathname);
}

async function start() {
  const token = sessionStorage.getItem(tokenName);
  if (!token) return askForToken();
  const api = new Api(token);
  try {
    await api.json("GET", "/operator/status");
  } catch (error) {
    return askForToken(error instanceof Error ? error.message : String(error),
      error instanceof Problem && error.status === 401);
  }
  return show(api);
}

/**
 * @param {string} [message]
 * @param {boolean} [isWrong]
 */
function askForToken(message, isWrong) {
  if (isWrong) sessionStorage.removeItem(tokenName);
  const token = h("input", { name: "token", type: "password", required: true, autocomplete: "off" });
  fill(document.body, h("main", { class: "sheet" },
    h("h1", {}, t("title")),
    h("form", {
      onsubmit: (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        sessionStorage.setItem(tokenName, token.value.trim());
        start();
      },
    },
    h("label", {}, t("token"), token), h("p", { class: "hint" }, t("tokenHint")),
    h("p", { class: "problem", role: "alert" }, message), h("button", { class: "primary" }, t("signIn")))));
  token.focus();
}

/** @param {Api} api */
function show(api) {
  const names = /** @type {const} */ (["overview", "accounts", "queue", "errors", "trace"]);
  const links = names.map((name) => h("a", { href: `#/${name}`, "data-page": name }, t(name)));
  const main = h("main", { id: "main", tabindex: "0" });
  fill(document.body,
    h("header", {}, h("h1", {}, t("title")), h("nav", { "aria-label": t("title") }, links,
      h("button", {
        class: "quiet",
        onclick: () => {
          sessionStorage.removeItem(tokenName);
          location.reload();
        },
      }, t("signOut")))),
    main);
  const route = () => {
    const [, name, ...rest] = location.hash.split("/");
    const page = names.find((one) => one === name) ?? "overview";
    const value = decodeURIComponent(rest.join("/"));
    for (const link of links) {
      if (link.dataset.page === page) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (page === "accounts" && value !== "") showAccount(main, api, value);
    else if (page === "accounts") showAccounts(main, api);
    else if (page === "queue") showQueue(main, api);
    else if (page === "errors") showErrors(main, api);
    else if (page === "trace") showTrace(main, api, value);
    else showOverview(main, api);
  };
  addEventListener("hashchange", route);
  route();
}
