// The shapes of the server's contract that the client uses; see /openapi.json.

/**
 * @typedef {"whole" | "notification" | "nothing"} Deliver
 * @typedef {{epoch: string, number: number, level: number}} Cursor
 * @typedef {{type: string, name?: string, bytes: number, text?: string, sha256?: string}} Part
 * @typedef {{id: string, from: string, to: string[], date: string, kind: string, conversation: string,
 *   subject?: string, inReplyTo?: string, expires?: string, parts: Part[]}} Envelope
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
 * @typedef {{muted: string[], refuseBlocked: boolean, tellDelivered: boolean, tellDisplayed: boolean}} Settings
 * @typedef {{id: string, name: string, type: string, bytes: number, stored: string}} StoredFile
 * @typedef {{type: string, title: string, status: number, code: string, detail: string}} ProblemDocument
 * @typedef {{id: string, bytes: number, offset: number, complete: boolean}} Upload
 * @typedef {{type?: string, name?: string, text?: string, upload?: string,
 *   forward?: {message: string, part: number}, file?: string}} PartRequest
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
