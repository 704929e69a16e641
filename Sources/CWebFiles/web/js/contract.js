// The shapes of the server's contract that the client uses; see /openapi.json.

/**
 * @typedef {"whole" | "notification" | "nothing"} Deliver
 * @typedef {{epoch: string, number: number, level: number}} Cursor
 * @typedef {{type: string, name?: string, bytes: number, text?: string, sha256?: string}} Part
 * @typedef {{id: string, from: string, to: string[], date: string, kind: string, conversation: string,
 *   subject?: string, inReplyTo?: string, expires?: string, parts: Part[],
 *   session?: {id: string, ordinal: number}}} Envelope
 * @typedef {{from: string, subject?: string, date: string, bytes: number, types: string[], link: string}} Notice
 * @typedef {{address: string, state: "pending" | "failed" | "delivered" | "displayed", since: string,
 *   reason?: string}} Receiver
 * @typedef {{changed: number, created: number, kind: string, id: string, gone?: boolean, deliver?: Deliver,
 *   silent?: boolean, boxes?: ("inbox" | "sent")[], read?: boolean, released?: boolean, conversation?: string,
 *   addressed?: string[], receivers?: Receiver[], message?: Envelope, notice?: Notice, value?: unknown}} Item
 * @typedef {{kind: string, label: string, capabilities?: {accepts: string[], features: string[]}}} Description
 * @typedef {{state: "available" | "busy" | "do-not-disturb", until?: string}} Availability
 * @typedef {{id: number, kind: string, label: string, registered: string, synchronises: boolean,
 *   availability: Availability, capabilities: {accepts: string[], features: string[]}}} Device
 * @typedef {{device: Device, isConnected: boolean, isRegistered: boolean, isThis: boolean, lastSeen: string}} DeviceStatus
 * @typedef {{muted: string[], refuseBlocked: boolean, tellDelivered: boolean, tellDisplayed: boolean,
 *   tellDevices?: "nothing" | "capabilities" | "devices"}} Settings
 * @typedef {{id: string, name: string, type: string, bytes: number, stored: string}} StoredFile
 * @typedef {{type: string, title: string, status: number, code: string, detail: string}} ProblemDocument
 * @typedef {{id: string, bytes: number, offset: number, complete: boolean}} Upload
 * @typedef {{type?: string, name?: string, text?: string, upload?: string,
 *   forward?: {message: string, part: number}, file?: string}} PartRequest
 * @typedef {"audio" | "video" | "stored-video" | "file" | "text"} MediumKind
 * @typedef {{device: number, generation: number, state: "preparing" | "replaying" | "live" | "draining",
 *   start?: number, position?: number, fence?: number, replaces?: number, to?: number}} Leg
 * @typedef {{user: string, generation: number, device: number}} Placement
 * @typedef {{state: {isPlaying: boolean, position: number, rate: number}, at: string, revision: number}} Playback
 * @typedef {{id: number, kind: MediumKind, sender?: string, held: string[], placements: Placement[],
 *   owner?: string, playback?: Playback}} Medium
 * @typedef {{id: string, by: string, change: "add" | "hold" | "resume" | "direct" | "move" | "join" | "part" | "remove",
 *   medium: number, kind?: MediumKind, sender?: string, device?: number, awaited: string[], until?: string}} Pending
 * @typedef {{id: string, creator: string, user: string, conversation: string, subject?: string, started: string,
 *   state: "calling" | "alerting" | "joining" | "open" | "over", end?: string, participants: string[],
 *   invited: string[], wanted: MediumKind[], text?: string, legs: Leg[], revision: number, media: Medium[],
 *   pending: Pending[], request?: {outcome: "waiting" | "accepted" | "rejected" | "cancelled" | "missed",
 *   alerting: number[], device?: number, by?: number, until?: string}}} Session
 * @typedef {{user: string, features?: string[], devices?: {label: string, kind: string, features: string[],
 *   registered: boolean, media: number[]}[]}} Counterpart
 * @typedef {{session: string, medium: number, from?: string, generation: number, to: string, toGeneration: number,
 *   payload: any}} Signal
 * @typedef {{id: string, to: string[], from?: string, subject?: string, parts: PartRequest[], reports?: string[],
 *   conversation?: string, inReplyTo?: string}} SendRequest
 */

/** What the server said no with. */
export class Problem extends Error {
  /** @param {ProblemDocument} document */
  constructor(document) {
    super(document.detail);
    this.code = document.code;
    this.status = document.status;
  }

  /** Whether the same request may go better later. */
  get isTemporary() {
    return this.status >= 500 || this.status === 429;
  }
}

/**
 * What an error says.
 * @param {unknown} error
 */
export function reason(error) {
  return error instanceof Error ? error.message : String(error);
}
