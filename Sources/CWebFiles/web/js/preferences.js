// What the person has set, as this device holds it; a change goes to the server and comes back to every device.

/**
 * @typedef {import("./contract.js").Availability} Availability
 * @typedef {import("./contract.js").Settings} Settings
 * @typedef {import("./device.js").Device} Device
 */

/** @type {Settings} What holds until something was set. */
const fresh = { muted: [], refuseBlocked: false, tellDelivered: true, tellDisplayed: true };

/** @param {Device} device */
export function settings(device) {
  return /** @type {Settings} */ (device.value("settings") ?? fresh);
}

/** @type {Promise<unknown>} Changes go one after the other: each is made from what the one before has left. */
let last = Promise.resolve();

/**
 * @param {Device} device
 * @param {"settings" | "blocked"} kind
 * @param {() => object} make the whole of it, as it is to be
 */
function change(device, kind, make) {
  const done = last.then(async () => device.learn(kind, await device.api.json("PUT", `/v1/${kind}`, make())));
  last = done.catch(() => {});
  return done;
}

/**
 * @param {Device} device
 * @param {Partial<Settings>} some
 */
export function changeSettings(device, some) {
  return change(device, "settings", () => ({ ...settings(device), ...some }));
}

/**
 * Messages of a muted conversation come without a sound on every device, and stay unread.
 * @param {Device} device
 * @param {string} conversation
 * @param {boolean} isMuted
 */
export function mute(device, conversation, isMuted) {
  return change(device, "settings", () => {
    const now = settings(device);
    return { ...now, muted: changed(now.muted, conversation, isMuted) };
  });
}

/**
 * @param {Device} device
 * @returns {string[]} addresses
 */
export function blocked(device) {
  return /** @type {{addresses: string[]} | undefined} */ (device.value("blocked"))?.addresses ?? [];
}

/**
 * @param {Device} device
 * @param {string} address
 * @param {boolean} isBlocked
 */
export function block(device, address, isBlocked) {
  return change(device, "blocked", () => ({ addresses: changed(blocked(device), address, isBlocked) }));
}

/**
 * @param {string[]} all
 * @param {string} one
 * @param {boolean} isIn whether it is to be among them
 */
function changed(all, one, isIn) {
  const others = all.filter((other) => other !== one);
  return isIn ? [...others, one] : others;
}

/**
 * The person's own; what is over counts as available.
 * @param {Device} device
 */
export function availability(device) {
  return inForce(/** @type {Availability | undefined} */ (device.value("availability")));
}

/**
 * What was chosen for this device alone.
 * @param {Device} device
 */
export function availabilityHere(device) {
  const own = /** @type {import("./contract.js").Device | undefined} */ (
    device.value("device", String(device.registration.device)));
  return inForce(own?.availability);
}

/** @param {Availability | undefined} chosen */
function inForce(chosen) {
  const isOver = !chosen || (chosen.until !== undefined && Date.parse(chosen.until) <= Date.now());
  return isOver ? /** @type {Availability} */ ({ state: "available" }) : chosen;
}

/**
 * Whether nothing may pop up here now.
 * @param {Device} device
 */
export function isQuiet(device) {
  return [availability(device), availabilityHere(device)].some((one) => one.state === "do-not-disturb");
}
