// The live part of a conversation: where it is, who is in it, its media, and what can be done with it.

import { attempt, fill, h, icon } from "../dom.js";
import { featureNames } from "../features.js";
import { plainAddress, t } from "../words.js";
import { abilities, ableDevices, choose, deviceField } from "./choose.js";
import { MediaList } from "./media.js";

/**
 * @typedef {import("../contract.js").Session} Session
 * @typedef {import("../device.js").Device} Device
 */

/** Texts that come along when one asks for the last ones. */
const someTexts = 50;

/** Why no path for a medium can be had, by the codes that say so. */
const refusals = /** @type {Map<string, any>} */ (new Map([
  ["no-relay", "noRelay"], ["relay-failed", "relayFailed"], ["among-two", "amongTwo"],
]));

export class LivePanel {
  /**
   * @param {Device} device
   * @param {() => Session | undefined} session
   */
  constructor(device, session) {
    this.device = device;
    this.session = session;
    this.status = h("p", { role: "status" });
    /** Beside the rest: what could not be begun is said as well. */
    this.problem = h("p", { class: "problem", role: "alert" });
    this.buttons = h("div", { class: "row" });
    this.media = new MediaList(device, (action) => this.try(action));
    this.root = h("section", { class: "live", "aria-label": t("live"), hidden: true },
      h("div", { class: "row head" }, this.status, this.buttons), this.media.root);
    /** Drawn anew only when something else is to be seen: a button keeps the keyboard. */
    this.drawn = "";
    /** @type {{id: string, words: string} | null} Why there is no path: said until something else is tried. */
    this.refusal = null;
    this.refused = (/** @type {Event} */ event) => {
      const { session: id, refused } = /** @type {CustomEvent<{session: string, refused: string}>} */ (event).detail;
      if (id !== this.session()?.id) return;
      this.refusal = { id, words: refusals.has(refused) ? t(refusals.get(refused)) : refused };
      fill(this.problem, this.refusal.words);
    };
    device.sessions.addEventListener("refused", this.refused);
  }

  close() {
    this.device.sessions.removeEventListener("refused", this.refused);
    this.media.close();
  }

  draw() {
    const session = this.session();
    this.root.hidden = !session;
    this.media.draw(session);
    if (!session) return;
    fill(this.status, this.state(session));
    const { sessions } = this.device;
    const key = JSON.stringify([session.id, session.state, sessions.isHere(session), session.participants, session.legs]);
    if (key === this.drawn) return;
    this.drawn = key;
    fill(this.problem, this.refusal?.id === session.id && this.refusal.words);
    fill(this.buttons, this.actions(session).map(([drawing, name, action]) =>
      h("button", { class: "quiet", title: name, "aria-label": name, onclick: () => this.try(action) }, icon(drawing))));
  }

  /** @param {() => Promise<unknown>} action */
  try(action) {
    this.refusal = null;
    return attempt(this.problem, action);
  }

  /** @param {Session} session */
  state(session) {
    const { sessions } = this.device;
    const people = sessions.others(session).map(plainAddress).join(", ");
    if (session.state === "calling") return t("liveAsking", { people });
    if (session.state === "alerting") return t("liveAsked", { from: plainAddress(session.creator) });
    if (session.state !== "open") return t("liveJoining");
    const typer = sessions.typer(session.id);
    if (typer && sessions.isHere(session)) return t("liveTyping", { from: plainAddress(typer) });
    const places = session.legs.filter((leg) => leg.state === "live").map((leg) => this.place(leg.device));
    return t("liveOn", { people, devices: places.join(", ") });
  }

  /** @param {number} id */
  place(id) {
    if (id === this.device.sessions.own) return t("thisDevice");
    return /** @type {{label?: string} | undefined} */ (this.device.value("device", String(id)))?.label ?? `${id}`;
  }

  /**
   * @param {Session} session
   * @returns {[Parameters<typeof icon>[0], string, () => Promise<unknown>][]}
   */
  actions(session) {
    const { sessions } = this.device;
    const leave = /** @type {[Parameters<typeof icon>[0], string, () => Promise<unknown>]} */ (
      ["leave", t(session.state === "calling" ? "takeBack" : "leave"), () => sessions.command(session, "leave")]);
    const takeOut = /** @type {typeof leave} */ (["close", t("takeOut"), () => this.takeOut(session)]);
    if (session.state === "alerting") {
      return [
        ["check", t("accept"), () => sessions.command(session, "accept", { media: session.wanted })],
        ["close", t("decline"), () => sessions.command(session, "reject")],
      ];
    }
    if (session.state !== "open") return [leave];
    if (!sessions.isHere(session)) return [["move", t("bringHere"), () => this.bring(session)], leave];
    return [
      ["microphone", t("addVoice"), () => this.add(session, "audio")],
      ["film", t("addVideo"), () => this.add(session, "video")],
      ["screen", t("addStored"), () => this.show(session)],
      ["move", t("continueOn"), () => this.continue(session)],
      ["devices", t("theirDevices"), () => this.counterparts(session)],
      ["people", t("addSomebody"), () => this.invite(session)],
      ...(session.creator === session.user && session.participants.length > 2 ? [takeOut] : []),
      leave,
    ];
  }

  /** @param {Session} session */
  async bring(session) {
    const from = session.legs.find((leg) => leg.state === "live")?.device;
    const history = historyField();
    const move = await choose(t("bringHere"), [history.field], [
      { name: t("move"), answer: () => true }, { name: t("addDevice"), answer: () => false },
    ]);
    if (move === null) return;
    await this.device.sessions.command(session, "legs", { from: move ? from : undefined, ...history.value() });
  }

  /** @param {Session} session */
  async continue(session) {
    const { sessions } = this.device;
    const taken = new Set(session.legs.filter((leg) => leg.state !== "draining").map((leg) => leg.device));
    const devices = (await ableDevices(this.device, () => true)).filter((one) => !taken.has(one.device.id));
    if (devices.length === 0) throw new Error(t("noOtherDevice"));
    const target = deviceField(t("device"), devices);
    const history = historyField();
    const move = await choose(t("continueOn"), [target.field, history.field], [
      { name: t("move"), answer: () => true }, { name: t("addDevice"), answer: () => false },
    ]);
    if (move === null) return;
    await sessions.command(session, "legs", { device: target.value(), from: move ? sessions.own : undefined, ...history.value() });
  }

  /**
   * @param {Session} session
   * @param {"audio" | "video"} kind
   */
  async add(session, kind) {
    const devices = await ableDevices(this.device, abilities[kind]);
    if (devices.length === 0) throw new Error(t("noAbleDevice"));
    const device = deviceField(t("device"), devices);
    const chosen = await choose(t(kind === "audio" ? "addVoice" : "addVideo"), [device.field], [
      { name: t("propose"), answer: () => device.value() },
    ]);
    if (chosen !== null) await this.device.sessions.propose(session, { change: "add", kind, device: chosen });
  }

  /** @param {Session} session */
  async show(session) {
    /** @type {{files: import("../contract.js").StoredFile[]}} */
    const { files } = await this.device.api.json("GET", "/v1/files?limit=200");
    const videos = files.filter((one) => one.type.startsWith("video/"));
    if (videos.length === 0) throw new Error(t("noStoredVideo"));
    const file = h("select", {}, videos.map((one) => h("option", { value: one.id }, one.name)));
    const device = deviceField(t("device"), await ableDevices(this.device, abilities["stored-video"]));
    const chosen = await choose(t("addStored"), [h("label", {}, t("video"), file), device.field], [
      { name: t("propose"), answer: () => ({ source: file.value, device: device.value() }) },
    ]);
    if (chosen) await this.device.sessions.propose(session, { change: "add", kind: "stored-video", ...chosen });
  }

  /**
   * What the others show of their devices.
   * @param {Session} session
   */
  async counterparts(session) {
    /** @type {{users: import("../contract.js").Counterpart[]}} */
    const { users } = await this.device.api.json("GET", `/v1/sessions/${encodeURIComponent(session.id)}/devices`);
    const lists = users.map(({ user, features, devices }) => h("section", {},
      h("h3", {}, plainAddress(user)),
      devices
        ? h("ul", { class: "cards" }, devices.map((one) => h("li", {},
          h("strong", {}, one.label),
          h("span", { class: "hint" }, t(/** @type {"kind.mobile"} */ (`kind.${one.kind}`))),
          h("span", { class: `presence ${one.registered ? "registered" : "away"}` }, t(one.registered ? "registered" : "away")),
          one.features.length > 0 && h("span", { class: "hint" }, t("canDo", { features: featureNames(one.features) })),
          one.media.map((id) => {
            const medium = session.media.find((other) => other.id === id);
            return medium && h("span", {}, t(/** @type {"medium.audio"} */ (`medium.${medium.kind}`)));
          }))))
        : h("p", { class: "hint" }, features ? t("canDo", { features: featureNames(features) }) : t("showsNothing"))));
    await choose(t("theirDevices"), lists, []);
  }

  /** @param {Session} session */
  async invite(session) {
    const field = h("input", { name: "address", autocomplete: "off", spellcheck: false });
    const address = await choose(t("addSomebody"), [h("label", {}, t("address"), field)], [
      { name: t("ask"), answer: () => field.value.trim() },
    ]);
    if (address) await this.device.sessions.command(session, "participants", { address });
  }

  /**
   * Whoever asked for the conversation may end it for one of the others.
   * @param {Session} session
   */
  async takeOut(session) {
    const people = h("select", {}, this.device.sessions.others(session).map((one) => h("option", { value: one }, plainAddress(one))));
    const address = await choose(t("takeOut"), [h("label", {}, t("address"), people)], [
      { name: t("takeOutNow"), answer: () => people.value },
    ]);
    if (address) await this.device.sessions.command(session, "remove", { address });
  }
}

function historyField() {
  const select = h("select", {},
    h("option", { value: "all" }, t("historyAll")),
    h("option", { value: "last" }, t("historyLast", { count: someTexts })),
    h("option", { value: "none" }, t("historyNone")));
  return {
    field: h("label", {}, t("history"), select),
    value: () => ({ history: select.value, count: select.value === "last" ? someTexts : undefined }),
  };
}
