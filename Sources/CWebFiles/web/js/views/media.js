// The media of a live conversation: who has each where, what waits for an answer, and what is heard and seen here.

import { fill, h, icon } from "../dom.js";
import { plainAddress, t } from "../words.js";
import { abilities, ableDevices, choose, deviceField } from "./choose.js";

/**
 * @typedef {import("../contract.js").Session} Session
 * @typedef {import("../contract.js").Medium} Medium
 * @typedef {import("../contract.js").Pending} Pending
 * @typedef {{root: Element, key: string, draw: () => void, close: () => void}} Tile
 */

export class MediaList {
  /**
   * @param {import("../device.js").Device} device
   * @param {(action: () => Promise<unknown>) => void} attempt
   */
  constructor(device, attempt) {
    this.device = device;
    this.sessions = device.sessions;
    this.attempt = attempt;
    this.changes = h("ul", { class: "changes" });
    this.list = h("ul", { class: "media" });
    this.root = h("div", {}, this.changes, this.list);
    /** @type {Map<number, {row: Element, key: string}>} */
    this.rows = new Map();
    /** @type {Map<number, Tile>} What is heard and seen here: kept, for what plays must not be moved. */
    this.tiles = new Map();
    this.drawn = "";
    /** @type {string | undefined} The session whose media these are: each numbers its own. */
    this.shown = undefined;
  }

  /** @param {Session | undefined} session */
  draw(session) {
    if (session?.id !== this.shown) this.close();
    this.shown = session?.id;
    const media = session?.state === "open" ? session.media : [];
    const key = JSON.stringify([session?.id, session?.pending]);
    if (key !== this.drawn) {
      this.drawn = key;
      fill(this.changes, (session?.pending ?? []).map((one) => this.change(/** @type {Session} */ (session), one)));
    }
    for (const id of this.rows.keys()) if (!media.some((one) => one.id === id)) this.remove(id);
    for (const medium of media) this.medium(/** @type {Session} */ (session), medium);
  }

  /** Nothing plays here any more. */
  close() {
    this.shown = undefined;
    for (const id of this.rows.keys()) this.remove(id);
  }

  /** @param {number} id */
  remove(id) {
    this.rows.get(id)?.row.remove();
    this.rows.delete(id);
    this.drop(id);
  }

  /** @param {number} id */
  drop(id) {
    this.tiles.get(id)?.close();
    this.tiles.get(id)?.root.remove();
    this.tiles.delete(id);
  }

  /**
   * @param {Session} session
   * @param {Pending} change
   */
  change(session, change) {
    const kind = change.kind ?? session.media.find((one) => one.id === change.medium)?.kind ?? "audio";
    const what = t(/** @type {"medium.audio"} */ (`medium.${kind}`));
    if (change.awaited.includes(session.user)) {
      return h("li", {},
        h("span", {}, t("wantsMedium", { from: plainAddress(change.by), medium: what })),
        h("button", { class: "primary", onclick: () => this.attempt(() => this.accept(session, change, kind)) }, t("accept")),
        h("button", { onclick: () => this.attempt(() => this.answer(session, change, { accept: false })) }, t("decline")));
    }
    return h("li", {},
      h("span", {}, t(change.change === "move" ? "mediumMoves" : "mediumWaits", { medium: what })),
      change.by === session.user && h("button", {
        onclick: () => this.attempt(() => this.sessions.command(session, `media/${encodeURIComponent(change.id)}/path`, { connected: false })),
      }, t("takeBack")));
  }

  /**
   * @param {Session} session
   * @param {Pending} change
   * @param {string} kind
   */
  async accept(session, change, kind) {
    const device = await this.deviceFor(kind, "acceptOn");
    if (device !== null) await this.answer(session, change, { accept: true, device });
  }

  /**
   * @param {Session} session
   * @param {Pending} change
   * @param {{accept: boolean, device?: number}} answer
   */
  answer(session, change, answer) {
    return this.sessions.command(session, `media/${encodeURIComponent(change.id)}/answer`, answer);
  }

  /**
   * @param {Session} session
   * @param {Medium} medium
   */
  medium(session, medium) {
    const isMuted = this.sessions.calls?.muted.has(`${session.id} ${medium.id}`) ?? false;
    const isMissing = this.sessions.calls?.missing.has(`${session.id} ${medium.id}`) ?? false;
    const isAsked = session.pending.some((one) => one.medium === medium.id && one.awaited.includes(session.user));
    const unreachable = medium.placements.length > 2 ? this.sessions.calls?.paths.unreachable(session, medium) ?? [] : [];
    const { playback: _, ...shown } = medium;
    const key = JSON.stringify([shown, isMuted, isMissing, isAsked, unreachable]);
    const known = this.rows.get(medium.id);
    if (!known || known.key !== key) {
      const row = known?.row ?? h("li", { "data-medium": medium.kind });
      const tile = this.tiles.get(medium.id)?.root;
      const bar = this.bar(session, medium, { isMuted, isMissing, isAsked, unreachable });
      // Whatever plays stays where it is.
      const old = row.querySelector(":scope > .bar");
      if (old) old.replaceWith(bar);
      else row.prepend(bar);
      if (tile && !row.contains(tile)) row.append(tile);
      this.rows.set(medium.id, { row, key });
      if (!row.isConnected) this.list.append(row);
    }
    this.tile(session, medium);
  }

  /**
   * @param {Session} session
   * @param {Medium} medium
   * @param {{isMuted: boolean, isMissing: boolean, isAsked: boolean, unreachable: string[]}} state
   */
  bar(session, medium, { isMuted, isMissing, isAsked, unreachable }) {
    const isHeld = medium.held.includes(session.user);
    const own = medium.placements.find((one) => one.user === session.user);
    const places = medium.placements.map((one) =>
      one.user !== session.user ? plainAddress(one.user) : one.device === this.sessions.own ? t("thisDevice") : this.label(one.device));
    const button = (/** @type {Parameters<typeof icon>[0]} */ drawing, /** @type {string} */ name, /** @type {() => Promise<unknown>} */ action, /** @type {boolean} */ isPressed = false) =>
      h("button", { class: "quiet", title: name, "aria-label": name, "aria-pressed": isPressed ? "true" : undefined, onclick: () => this.attempt(action) }, icon(drawing));
    const change = (/** @type {string} */ what) => () => this.sessions.propose(session, { change: what, medium: medium.id });
    const isLive = medium.kind === "audio" || medium.kind === "video";
    return h("div", { class: "bar" },
      h("strong", {}, t(/** @type {"medium.audio"} */ (`medium.${medium.kind}`))),
      h("span", { class: "hint" }, places.join(" · "), medium.held.length > 0 && ` · ${t("mediumHeld")}`,
        unreachable.length > 0 && ` · ${t("mediumUnreached", { people: unreachable.map(plainAddress).join(", ") })}`),
      isLive && !isMissing && own?.device === this.sessions.own
        && button(medium.kind === "video" ? "camera" : isMuted ? "silent" : "microphone",
          t(medium.kind === "video" ? (isMuted ? "cameraOn" : "cameraOff") : isMuted ? "soundOn" : "soundOff"), async () => this.sessions.calls?.mute(session, medium.id), isMuted),
      own ? [
        button(isHeld ? "play" : "pause", t(isHeld ? "resume" : "holdMedium"), change(isHeld ? "resume" : "hold")),
        button("move", t("moveMedium"), () => this.move(session, medium)),
        // Of two whoever goes out ends it.
        medium.placements.length > 2 && button("leave", t("partMedium"), change("part")),
        button("close", t("removeMedium"), change("remove")),
      ] : !isAsked && button("check", t("joinMedium"), () => this.join(session, medium)),
      isMissing && h("div", { class: "missing", role: "alert" },
        h("p", { class: "problem" }, t(medium.kind === "video" ? "noCamera" : "noMicrophone")),
        h("button", { onclick: () => this.attempt(async () => this.sessions.calls?.captureAgain(session, medium.id)) }, t("retry"))));
  }

  /**
   * Takes part in what the others have, on one of this person's devices.
   * @param {Session} session
   * @param {Medium} medium
   */
  async join(session, medium) {
    const device = await this.deviceFor(medium.kind, "joinMedium");
    if (device !== null) await this.sessions.propose(session, { change: "join", medium: medium.id, device });
  }

  /**
   * The device that is to have a medium: the person chooses, when there are several that can; null when they do not want to.
   * @param {string} kind
   * @param {"acceptOn" | "joinMedium"} title
   */
  async deviceFor(kind, title) {
    const devices = await ableDevices(this.device, abilities[kind]);
    if (devices.length === 0) throw new Error(t("noAbleDevice"));
    if (devices.length === 1) return devices[0].device.id;
    const device = deviceField(t("device"), devices);
    const answer = title === "acceptOn" ? "accept" : title;
    return choose(t(title), [device.field], [{ name: t(answer), answer: () => device.value() }]);
  }

  /** @param {number} id */
  label(id) {
    return /** @type {{label?: string} | undefined} */ (this.device.value("device", String(id)))?.label ?? `${id}`;
  }

  /**
   * @param {Session} session
   * @param {Medium} medium
   */
  async move(session, medium) {
    const from = medium.placements.find((one) => one.user === session.user)?.device;
    const devices = (await ableDevices(this.device, abilities[medium.kind])).filter((one) => one.device.id !== from);
    if (devices.length === 0) throw new Error(t("noAbleDevice"));
    const target = deviceField(t("device"), devices);
    const chosen = await choose(t("moveMedium"), [target.field], [{ name: t("move"), answer: () => target.value() }]);
    if (chosen !== null) await this.sessions.propose(session, { change: "move", medium: medium.id, device: chosen });
  }

  /**
   * @param {Session} session
   * @param {Medium} medium
   */
  async tile(session, medium) {
    const own = medium.placements.find((one) => one.user === session.user && one.device === this.sessions.own);
    if (!own) return this.drop(medium.id);
    // A voice has nothing to be seen.
    if (medium.kind === "audio") return undefined;
    const known = this.tiles.get(medium.id);
    if (known) return known.draw();
    if (medium.kind === "stored-video") {
      const { player } = await import("../playback.js");
      if (this.shown !== session.id || this.tiles.has(medium.id) || !this.rows.has(medium.id)) return undefined;
      const { root, close } = player(this.sessions, session, medium.id);
      this.tiles.set(medium.id, { root, key: "", draw: () => {}, close });
      this.rows.get(medium.id)?.row.append(root);
      return undefined;
    }
    const tile = this.stage(session, medium);
    this.tiles.set(medium.id, tile);
    this.rows.get(medium.id)?.row.append(tile.root);
    return tile.draw();
  }

  /**
   * The pictures that come from the others, and those that go from here.
   * @param {Session} session
   * @param {Medium} medium
   * @returns {Tile}
   */
  stage(session, medium) {
    const root = h("div", { class: "stage" });
    const name = `${session.id} ${medium.id}`;
    /** @type {Map<MediaStreamTrack, HTMLVideoElement>} */
    const shown = new Map();
    const draw = () => {
      const calls = this.sessions.calls;
      const own = calls?.tracks.get(name);
      const tracks = [...(calls?.remote.get(name) ?? []), ...(own ? [{ user: "", track: own }] : [])];
      for (const [track, element] of shown) {
        if (tracks.some((one) => one.track === track)) continue;
        element.srcObject = null;
        element.remove();
        shown.delete(track);
      }
      for (const { user, track } of tracks) {
        if (shown.has(track)) continue;
        const element = h("video", {
          autoplay: true, playsInline: true, muted: user === "", class: user ? undefined : "own",
          "aria-label": user ? plainAddress(user) : t("you"),
        });
        element.srcObject = new MediaStream([track]);
        shown.set(track, element);
        root.append(element);
      }
      // Whatever has left the page for a while stands still.
      for (const element of shown.values()) if (element.paused) element.play().catch(() => {});
    };
    return {
      root, key: name, draw,
      close: () => {
        for (const element of shown.values()) element.srcObject = null;
      },
    };
  }
}
