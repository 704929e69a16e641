// Conversations that are going on, on whatever device.

import { fill, h, icon } from "../dom.js";
import { plainAddress, t } from "../words.js";

export class LiveList {
  /** @param {import("../device.js").Device} device */
  constructor(device) {
    this.device = device;
    this.root = h("ul", { class: "live-list", "aria-label": t("liveConversations") });
    device.sessions.addEventListener("changed", () => this.draw());
    this.draw();
  }

  draw() {
    const { sessions } = this.device;
    fill(this.root, sessions.all.filter((one) => one.state === "open" || one.state === "calling").map((one) => {
      const people = sessions.others(one).map(plainAddress).join(", ");
      const places = one.legs.filter((leg) => leg.state === "live").map((leg) =>
        leg.device === sessions.own ? t("thisDevice")
          : /** @type {{label?: string} | undefined} */ (this.device.value("device", String(leg.device)))?.label ?? "");
      return h("li", {},
        h("a", { href: `#/messages/${encodeURIComponent(one.conversation)}` },
          icon("talk"), h("strong", {}, people), h("span", { class: "hint" }, places.join(", "))));
    }));
  }
}
