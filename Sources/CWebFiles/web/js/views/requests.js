// Somebody asks for a conversation: shown on every device that rings, and gone when it is answered on any.

import { attempt, h } from "../dom.js";
import { plainAddress, t } from "../words.js";
import { ableDevices, choose, deviceField } from "./choose.js";

/** @typedef {import("../contract.js").Session} Session */

export class Requests {
  /** @param {import("../device.js").Device} device */
  constructor(device) {
    this.device = device;
    this.list = h("ul", { class: "requests", "aria-live": "assertive" });
    /** @type {Map<string, () => void>} */
    this.shown = new Map();
    document.body.append(this.list);
    device.sessions.addEventListener("changed", () => this.draw());
    this.draw();
  }

  draw() {
    const { sessions } = this.device;
    const ringing = sessions.all.filter((one) => one.request?.alerting.includes(sessions.own));
    for (const [id, close] of this.shown) if (!ringing.some((one) => one.id === id)) close();
    for (const session of ringing) if (!this.shown.has(session.id)) this.show(session);
  }

  /** @param {Session} session */
  show(session) {
    const { sessions } = this.device;
    const problem = h("p", { class: "problem", role: "alert" });
    const run = (/** @type {() => Promise<unknown>} */ action) => () => attempt(problem, action);
    const accept = async (/** @type {object} */ body) => {
      await sessions.command(session, "accept", body);
      location.hash = `#/messages/${encodeURIComponent(session.conversation)}`;
    };
    const media = session.wanted.map((kind) => t(/** @type {"medium.audio"} */ (`medium.${kind}`))).join(", ");
    const entry = h("li", {},
      h("div", {},
        h("strong", {}, t("asksFor", { from: plainAddress(session.creator) })),
        session.subject && h("p", {}, session.subject),
        session.text && h("p", { class: "hint" }, session.text),
        media && h("p", { class: "hint" }, t("withMedia", { media })),
        h("div", { class: "row" },
          h("button", { class: "primary", onclick: run(() => accept({ media: session.wanted })) }, t("accept")),
          session.wanted.length > 0 && h("button", { onclick: run(() => accept({})) }, t("textOnly")),
          h("button", { onclick: run(() => this.elsewhere(session)) }, t("acceptElsewhere")),
          h("button", { onclick: run(() => sessions.command(session, "reject")) }, t("decline")),
          h("button", { class: "quiet", onclick: run(() => sessions.command(session, "ignore")) }, t("ignore"))),
        problem));
    this.list.append(entry);
    const notice = this.notify(session);
    this.shown.set(session.id, () => {
      entry.remove();
      this.shown.delete(session.id);
      notice.then((close) => close());
    });
  }

  /** @param {Session} session */
  async elsewhere(session) {
    const devices = (await ableDevices(this.device, () => true)).filter((one) => !one.isThis);
    if (devices.length === 0) throw new Error(t("noOtherDevice"));
    const device = deviceField(t("device"), devices);
    const chosen = await choose(t("acceptElsewhere"), [device.field], [{ name: t("accept"), answer: () => device.value() }]);
    if (chosen !== null) await this.device.sessions.command(session, "accept", { device: chosen });
  }

  /**
   * Outside the page, when nobody looks at it.
   * @param {Session} session
   * @returns {Promise<() => void>}
   */
  async notify(session) {
    if (!document.hidden || !("Notification" in window) || Notification.permission !== "granted") return () => {};
    const registration = await navigator.serviceWorker.ready;
    const tag = `session ${session.id}`;
    await registration.showNotification(t("asksFor", { from: plainAddress(session.creator) }), {
      body: session.subject ?? session.text ?? "", tag, data: session.conversation, requireInteraction: true,
    });
    return async () => {
      for (const one of await registration.getNotifications({ tag })) one.close();
    };
  }
}
