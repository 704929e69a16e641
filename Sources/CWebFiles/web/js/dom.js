// Elements, made without a line of markup: text stays text whatever it holds.

import { reason } from "./contract.js";

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, unknown>} Properties
 */

/**
 * Makes an element. Keys that begin with "on" are listeners; `class`, `aria-*`, `data-*` and the like are attributes;
 * anything else is set as a property.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) {
      element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    } else if (key in element && typeof value !== "string") {
      /** @type {any} */ (element)[key] = value;
    } else if (value !== false) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {(Child | Child[])[]} children
 */
export function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Replaces what an element holds.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * Does something, and says in an element why it could not be done.
 * @param {Element} problem
 * @param {() => Promise<unknown>} action
 * @returns {Promise<boolean>} whether it was done
 */
export async function attempt(problem, action) {
  fill(problem);
  try {
    await action();
    return true;
  } catch (error) {
    fill(problem, reason(error));
    return false;
  }
}

/**
 * A link that saves something of the server's. A browser saves without asking the service worker, which alone lends
 * the token; so the page goes to a place that the worker answers for, and stays, since what comes is an attachment.
 * @param {string} source
 * @param {string} name
 * @param {...Child} children
 */
export function saveLink(source, name, ...children) {
  return h("a", {
    class: "file", href: source, download: name,
    onclick: (/** @type {Event} */ event) => {
      event.preventDefault();
      location.assign(`${location.pathname}content${source}`);
    },
  }, ...children);
}

/**
 * Draws again when something changes, for as long as the element is on the page.
 * @param {EventTarget} source
 * @param {Element} element
 * @param {() => void} draw
 * @param {string} [name] the event
 */
export function follow(source, element, draw, name = "mailbox") {
  let wasShown = false;
  const changed = () => {
    wasShown ||= element.isConnected;
    if (wasShown && !element.isConnected) source.removeEventListener(name, changed);
    else draw();
  };
  source.addEventListener(name, changed);
}

const shapes = /** @type {const} */ ({
  back: "M15 5l-7 7 7 7",
  send: "M4 12l16-8-6 16-3-6z",
  attach: "M8 12l6-6a3 3 0 014 4l-8 8a5 5 0 01-7-7l7-7",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12l5 5L20 7",
  checks: "M2 12l5 5L16 7M11 16l1 1L22 7",
  clock: "M12 7v5l3 2M12 3a9 9 0 100 18 9 9 0 000-18",
  alert: "M12 8v5M12 16.5h.01M12 3a9 9 0 100 18 9 9 0 000-18",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  inbox: "M3 13h5l2 3h4l2-3h5M5 5h14l2 8v6H3v-6z",
  rules: "M4 7h10M18 7h2M4 17h4M12 17h8M16 5v4M10 15v4",
  people: "M9 11a3 3 0 100-6 3 3 0 000 6zM3 20c0-4 3-6 6-6s6 2 6 6M16 5a3 3 0 010 6M17 14c3 0 4 3 4 6",
  devices: "M4 5h12v9H4zM2 17h10M17 9h4v11h-5v-8",
  account: "M12 12a4 4 0 100-8 4 4 0 000 8zM4 21c0-5 4-7 8-7s8 2 8 7",
  folder: "M3 6h6l2 3h10v10H3z",
  camera: "M4 8h4l2-3h4l2 3h4v11H4zM12 10a3.5 3.5 0 100 7 3.5 3.5 0 000-7",
  reply: "M10 6l-6 6 6 6M4 12h9c4 0 7 2 7 6",
  forward: "M14 6l6 6-6 6M20 12h-9c-4 0-7 2-7 6",
  mute: "M6 16V11a6 6 0 0110-4M18 11v5H6M10 20h4M4 4l16 16",
  bell: "M6 16v-5a6 6 0 0112 0v5l2 1H4zM10 20h4",
  pause: "M9 6v12M15 6v12",
  write: "M4 20h4L19 9l-4-4L4 16z",
  search: "M11 5a6 6 0 100 12 6 6 0 000-12zM16 16l4 4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  talk: "M4 5h16v11H10l-5 4v-4H4z",
  phone: "M5 4h4l2 5-2 1c1 3 3 5 6 6l1-2 5 2v4c-9 1-17-7-16-16",
  film: "M3 6h12v12H3zM15 10l6-3v10l-6-3",
  play: "M8 5l11 7-11 7z",
  screen: "M3 5h18v12H3zM8 21h8M12 17v4",
  move: "M4 12h14M13 7l5 5-5 5",
  leave: "M14 4h6v16h-6M3 12h11M9 7l-5 5 5 5",
  silent: "M9 5v7a3 3 0 006 0V5a3 3 0 00-6 0M5 12a7 7 0 0014 0M12 19v3M4 4l16 16",
  microphone: "M9 5v7a3 3 0 006 0V5a3 3 0 00-6 0M5 12a7 7 0 0014 0M12 19v3",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
});

/**
 * A line drawing, hidden from screen readers: its button has the name.
 * @param {keyof typeof shapes} name
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", shapes[name]);
  svg.append(path);
  return svg;
}
