// What a browser says of itself, for the device that its page becomes.

import { t } from "./words.js";

const named = /** @type {const} */ (["text", "audio", "video", "camera", "microphone", "notifications"]);

/** A finger and a small screen are a phone, a finger and a large one a tablet. */
export function likelyKind() {
  const isTouched = matchMedia("(pointer: coarse)").matches;
  const isSmall = Math.min(screen.width, screen.height) < 600;
  if (isTouched) return isSmall ? "mobile" : "tablet";
  return matchMedia("(max-width: 600px)").matches ? "mobile" : "computer";
}

/** "Firefox, Linux" */
export function likelyLabel() {
  const agent = navigator.userAgent;
  const browsers = [["Edg/", "Edge"], ["Firefox/", "Firefox"], ["Chrome/", "Chromium"], ["Safari/", "Safari"]];
  const systems = [
    ["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"],
  ];
  const found = [browsers, systems].map((all) => all.find(([mark]) => agent.includes(mark))?.[1]).filter(Boolean);
  return found.join(", ") || t("defaultLabel");
}

/** What it can do: nothing is switched on for the question. */
export async function features() {
  const inputs = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? [];
  const hasMicrophone = inputs.some((one) => one.kind === "audioinput");
  const hasCamera = inputs.some((one) => one.kind === "videoinput");
  return [
    "text",
    ...(hasMicrophone ? ["audio", "microphone"] : []),
    ...(hasCamera ? ["video", "camera"] : []),
    ...("Notification" in window ? ["notifications"] : []),
    `screen-${Math.round(screen.width)}x${Math.round(screen.height)}`,
  ];
}

/**
 * Those that a person has words for.
 * @param {string[]} features
 */
export function featureNames(features) {
  const words = named.filter((one) => features.includes(one)).map((one) => t(`feature.${one}`));
  const size = features.map((one) => /^screen-(\d+)x(\d+)$/.exec(one)).find(Boolean);
  if (size) words.push(t("feature.screen", { width: size[1], height: size[2] }));
  return words.join(", ");
}
