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

/**
 * @param {Device} device
 * @param {Partial<Settings>} change
 */
export function changeSettings(device, change) {
  return device.api.json("PUT", "/v1/settings", { ...settings(device), ...change });
}

/**
 * Messages of a muted conversation come without a sound on every device, and stay unread.
 * @param {Device} device
 * @param {string} conversation
 * @param {boolean} isMuted
 */
export function mute(device, conversation, isMuted) {
  const others = settings(device).muted.filter((one) => one !== conversation);
  return changeSettings(device, { muted: isMuted ? [...others, conversation] : others });
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
  const others = blocked(device).filter((one) => one !== address);
  return device.api.json("PUT", "/v1/blocked", { addresses: isBlocked ? [...others, address] : others });
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
