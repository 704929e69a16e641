// Which connections of this device run: what has arrived here, what never does, and who cannot be reached.

/**
 * @typedef {import("./contract.js").Session} Session
 * @typedef {import("./contract.js").Medium} Medium
 * @typedef {import("./peer.js").Peer} Peer
 * @typedef {import("./calls.js").Pair} Pair
 */

/** A path that does not run after so long is given up. */
const patience = 20_000;
/** Who moves a medium waits so long for the second of several paths. */
const someAreEnough = 6_000;

export class Paths {
  /**
   * @param {import("./sessions.js").Sessions} sessions
   * @param {Map<string, {peer: Peer, pair: Pair}>} peers
   */
  constructor(sessions, peers) {
    this.sessions = sessions;
    this.own = sessions.own;
    this.peers = peers;
    /** @type {Set<string>} Moves and failures that were told. */
    this.told = new Set();
    this.unreached = 0;
  }

  /** Tells of moves whose path runs, and gives up what does not come about. */
  check() {
    for (const { peer } of this.peers.values()) if (peer.isConnected) peer.since = Date.now();
    for (const session of this.sessions.all) {
      for (const medium of session.media) {
        this.arrive(session, medium);
        this.giveUp(session, medium);
      }
    }
    // Who cannot be reached is shown beside the medium.
    const unreached = [...this.peers.values()].filter(({ peer }) => isLate(peer)).length;
    if (unreached !== this.unreached) this.sessions.tell();
    this.unreached = unreached;
  }

  /**
   * The connections over which this device shares a medium, under a generation of its own.
   * @param {Session} session
   * @param {Medium} medium
   * @param {number | undefined} generation
   */
  sharing(session, medium, generation) {
    return [...this.peers.values()].filter(({ pair }) =>
      pair.session.id === session.id && generation !== undefined && pair.lines.get(medium.id)?.own === generation);
  }

  /**
   * This device's generation of a medium that is placed here.
   * @param {Session} session
   * @param {Medium} medium
   */
  generation(session, medium) {
    return medium.placements.find((one) => one.user === session.user && one.device === this.own)?.generation;
  }

  /**
   * Those among several with whom this device shares a medium, and to whom it has no path.
   * @param {Session} session
   * @param {Medium} medium
   */
  unreachable(session, medium) {
    return this.sharing(session, medium, this.generation(session, medium))
      .filter(({ peer }) => isLate(peer)).map(({ pair }) => pair.user);
  }

  /**
   * A medium moves to this device: its old place is left when the paths from here run, to all who can be reached soon.
   * @param {Session} session
   * @param {Medium} medium
   */
  arrive(session, medium) {
    const move = session.pending.find((one) =>
      one.change === "move" && one.medium === medium.id && one.by === session.user && one.device === this.own && one.until);
    const from = medium.placements.find((one) => one.user === session.user);
    if (!move || !from) return;
    const sharing = this.sharing(session, medium, from.generation + 1);
    const isSettled = sharing.every(({ peer }) => peer.isConnected || isLate(peer, someAreEnough));
    const connected = sharing.some(({ peer }) => peer.isConnected);
    const isLost = sharing.every(({ peer }) => isLate(peer));
    if (sharing.length === 0 || !(connected ? isSettled : isLost)) return;
    this.once(session, `media/${encodeURIComponent(move.id)}/path`, { connected });
  }

  /**
   * Tells of a medium that this device shares with nobody after all. One of two says so for both; among several each
   * speaks for itself, for the others may well hear each other.
   * @param {Session} session
   * @param {Medium} medium
   */
  giveUp(session, medium) {
    const generation = this.generation(session, medium);
    const sharing = this.sharing(session, medium, generation);
    if (awaits(session, medium)) for (const { peer } of sharing) peer.since = Date.now();
    if (sharing.length === 0 || !sharing.every(({ peer }) => isLate(peer))) return;
    if (medium.placements.length === 2 && !sharing[0].peer.offers) return;
    this.once(session, `failed/${medium.id}`, {}, generation);
  }

  /**
   * @param {Session} session
   * @param {string} what
   * @param {object} body
   * @param {number} [generation] of a placement: what was told of an earlier one is no word on this one
   */
  once(session, what, body, generation) {
    const name = `${session.id} ${what} ${generation ?? ""}`;
    if (this.told.has(name)) return;
    this.told.add(name);
    this.sessions.command(session, what, body).catch((error) => console.info("it was over already", error));
  }
}

/**
 * Whether somebody else has a place in a medium already and has not agreed to it yet: elsewhere the question and the
 * path are one.
 * @param {Session} session
 * @param {Medium} medium
 */
function awaits(session, medium) {
  return session.pending.some((one) => one.change === "add" && one.medium === medium.id
    && one.awaited.some((user) => medium.placements.some((place) => place.user === user)));
}

/**
 * @param {Peer} peer
 * @param {number} after milliseconds without a connection
 */
function isLate(peer, after = patience) {
  return !peer.isConnected && Date.now() - peer.since > after;
}
