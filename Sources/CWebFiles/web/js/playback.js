// A stored video that plays in step on all sides: everybody follows the same state on the server's clock.

import { h, icon } from "./dom.js";
import { t } from "./words.js";

/**
 * @typedef {import("./contract.js").Session} Session
 * @typedef {import("./contract.js").Medium} Medium
 */

/** How often the clock is asked, and how often the video is looked at, milliseconds. */
const samples = 7;
const lookEvery = 100;
/** Farther off than this it jumps; nearer it runs a little faster or slower. Seconds. */
const jump = 0.4;
const near = 0.008;
/** The most that the speed is changed to catch up. */
const haste = 0.25;

/** @type {Promise<number> | null} */
let skew = null;

/**
 * The server's clock minus ours, milliseconds, as the quickest of some answers tells.
 * @param {import("./api.js").Api} api
 */
function clock(api) {
  skew ??= (async () => {
    let best = { trip: Infinity, skew: 0 };
    for (let index = 0; index < samples; index += 1) {
      const start = performance.now();
      const { now } = await api.json("GET", "/v1/time");
      const trip = performance.now() - start;
      if (trip < best.trip) best = { trip, skew: Date.parse(now) + trip / 2 - (performance.timeOrigin + performance.now()) };
    }
    return best.skew;
  })();
  return skew;
}

/**
 * The video with its own controls: what one does here happens everywhere.
 * @param {import("./sessions.js").Sessions} sessions
 * @param {Session} session
 * @param {number} id the medium
 */
export function player(sessions, session, id) {
  const source = `/v1/sessions/${encodeURIComponent(session.id)}/content/${id}`;
  const video = h("video", { src: source, preload: "auto", muted: true, playsinline: true });
  video.muted = false;
  const toggle = h("button", { class: "quiet" });
  const place = h("input", { type: "range", min: "0", step: "0.1", value: "0", "aria-label": t("position") });
  const root = h("div", { class: "player" }, video, h("div", { class: "row" }, toggle, place));
  let offset = 0;
  let isDragging = false;
  clock(sessions.device.api).then((value) => { offset = value; });

  /** @returns {Medium | undefined} */
  const medium = () => sessions.get(session.id)?.media.find((one) => one.id === id);
  const now = () => performance.timeOrigin + performance.now() + offset;
  const target = () => {
    const playback = medium()?.playback;
    if (!playback) return 0;
    const { isPlaying, position, rate } = playback.state;
    const passed = isPlaying ? Math.max(0, now() - Date.parse(playback.at)) * rate / 1000 : 0;
    return Math.min((position + passed) / 1000, Number.isFinite(video.duration) ? video.duration : Infinity);
  };
  const isPlaying = () => {
    const one = medium();
    const ends = Number.isFinite(video.duration) && target() >= video.duration;
    return one?.playback?.state.isPlaying === true && one.held.length === 0 && !ends;
  };
  const say = (/** @type {boolean} */ plays, /** @type {number} */ seconds) =>
    sessions.command(session, `play/${id}`, { isPlaying: plays, position: Math.round(seconds * 1000), rate: 1000 });

  const step = () => {
    const plays = isPlaying();
    const name = t(plays ? "pausePlaying" : "play");
    if (toggle.getAttribute("aria-label") !== name) {
      toggle.replaceChildren(icon(plays ? "pause" : "play"));
      toggle.setAttribute("aria-label", name);
      toggle.title = name;
    }
    if (video.readyState < 1) return;
    place.max = String(video.duration);
    const wanted = target();
    if (!isDragging) place.value = String(wanted);
    const off = wanted - video.currentTime;
    if (!plays) {
      if (!video.paused) video.pause();
      // The same frame for all.
      if (Math.abs(off) > 0.001 && !video.seeking) video.currentTime = wanted;
      return;
    }
    if (video.paused) {
      video.play().catch(() => {
        // Without a click here the browser lets it play without sound only.
        video.muted = true;
        video.play().catch(() => {});
      });
    }
    if (Math.abs(off) > jump) {
      if (!video.seeking) video.currentTime = wanted;
      video.playbackRate = 1;
    } else {
      const rate = (medium()?.playback?.state.rate ?? 1000) / 1000;
      video.playbackRate = Math.abs(off) < near ? rate : rate * (1 + Math.max(-haste, Math.min(haste, off * 2)));
    }
  };
  // Nobody sees it while another page is shown, so nobody hears it either.
  const timer = setInterval(() => (root.isConnected ? step() : video.pause()), lookEvery);
  toggle.onclick = () => say(!isPlaying(), isPlaying() ? target() : (target() >= video.duration ? 0 : target()));
  place.oninput = () => { isDragging = true; };
  place.onchange = () => {
    isDragging = false;
    say(isPlaying(), Number(place.value));
  };
  step();
  return {
    root,
    close: () => {
      clearInterval(timer);
      video.pause();
      video.removeAttribute("src");
    },
  };
}
