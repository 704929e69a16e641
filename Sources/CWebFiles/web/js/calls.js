// Voice and live video on this device: which connections there are to be, what they send, and what is heard and seen.

import { Peer } from "./peer.js";

/**
 * @typedef {import("./contract.js").Session} Session
 * @typedef {import("./contract.js").Medium} Medium
 * @typedef {import("./contract.js").Signal} Signal
 * @typedef {import("./peer.js").Line} Line
 * @typedef {{session: Session, user: string, device: number, lines: Map<number, Line>}} Pair
 */

/** A path that does not run after so long is given up. */
const patience = 20_000;

export class Calls {
  /** @param {import("./sessions.js").Sessions} sessions */
  constructor(sessions) {
    this.sessions = sessions;
    this.own = sessions.own;
    /** @type {RTCConfiguration | null} */
    this.configuration = null;
    /** @type {Map<string, {peer: Peer, pair: Pair}>} by session, user and their device */
    this.peers = new Map();
    /** @type {Map<string, MediaStreamTrack | null>} What this device sends, by session and medium; null while asked for. */
    this.tracks = new Map();
    /** @type {Map<string, {user: string, track: MediaStreamTrack}[]>} What comes, by session and medium. */
    this.remote = new Map();
    /** @type {Set<string>} */
    this.muted = new Set();
    /** @type {Set<string>} Moves and failures that were told. */
    this.told = new Set();
    /** @type {Signal[]} Signals for a connection that this device does not know of yet. */
    this.early = [];
    setInterval(() => this.check(), 1000);
  }

  /**
   * The media of a session that run between this device and others: as placed, and as they are about to be.
   * @param {Session} session
   * @returns {Pair[]}
   */
  pairs(session) {
    /** @type {Map<string, Pair>} */
    const pairs = new Map();
    for (const medium of session.media) {
      if (medium.kind !== "audio" && medium.kind !== "video") continue;
      const ends = this.ends(session, medium);
      const own = ends.filter((one) => one.user === session.user && one.device === this.own).at(-1);
      if (!own) continue;
      for (const end of ends) {
        if (end.user === session.user) continue;
        const key = `${session.id} ${end.user} ${end.device}`;
        const pair = pairs.get(key) ?? { session, user: end.user, device: end.device, lines: new Map() };
        pair.lines.set(medium.id, {
          medium, own: own.generation, theirs: end.generation,
          sends: medium.sender === undefined || medium.sender === session.user,
          receives: medium.sender === undefined || medium.sender === end.user,
        });
        pairs.set(key, pair);
      }
    }
    return [...pairs.values()];
  }

  /**
   * @param {Session} session
   * @param {Medium} medium
   */
  ends(session, medium) {
    const moves = session.pending.filter((one) => one.change === "move" && one.medium === medium.id && one.until);
    return [
      ...medium.placements,
      ...moves.flatMap((move) => {
        const from = medium.placements.find((one) => one.user === move.by);
        return from && move.device !== undefined
          ? [{ user: move.by, device: move.device, generation: from.generation + 1 }] : [];
      }),
    ];
  }

  async update() {
    this.configuration ??= await this.sessions.device.api.json("GET", "/v1/ice").catch(() => ({}));
    /** @type {Set<string>} */
    const wanted = new Set();
    for (const session of this.sessions.all) {
      for (const pair of this.pairs(session)) {
        const key = `${session.id} ${pair.user} ${pair.device}`;
        wanted.add(key);
        for (const id of pair.lines.keys()) this.capture(session, id);
        this.connect(key, pair);
      }
    }
    for (const [key, { peer }] of this.peers) {
      if (wanted.has(key)) continue;
      peer.close();
      this.peers.delete(key);
    }
    this.release();
    for (const signal of this.early.splice(0)) this.take(signal);
    this.check();
  }

  /**
   * @param {string} key
   * @param {Pair} pair
   */
  connect(key, pair) {
    const known = this.peers.get(key);
    if (known) {
      known.pair = pair;
      known.peer.set(pair.lines);
      return;
    }
    const { session } = pair;
    const peer = new Peer(this.configuration ?? {}, session.user < pair.user, {
      send: (line, payload) => this.sessions.device.stream.say({
        signal: {
          session: session.id, medium: line.medium.id, generation: line.own, to: pair.user, toGeneration: line.theirs, payload,
        },
      }),
      track: (id) => this.tracks.get(`${session.id} ${id}`) ?? null,
      arrived: (id, track) => {
        const name = `${session.id} ${id}`;
        const others = (this.remote.get(name) ?? []).filter((one) => one.user !== pair.user);
        this.remote.set(name, [...others, { user: pair.user, track }]);
        this.sessions.tell();
      },
      state: () => this.check(),
    });
    this.peers.set(key, { peer, pair });
    peer.set(pair.lines);
  }

  /** @param {Signal} signal */
  take(signal) {
    for (const { peer, pair } of this.peers.values()) {
      const line = pair.lines.get(signal.medium);
      if (pair.session.id !== signal.session || pair.user !== signal.from || !line) continue;
      if (line.own !== signal.toGeneration || line.theirs !== signal.generation) continue;
      peer.take(signal.payload);
      return;
    }
    // The news of the placement may still be on its way.
    this.early = [...this.early.slice(-20), signal];
  }

  /**
   * Asks for the microphone or the camera, once for a medium.
   * @param {Session} session
   * @param {number} id
   */
  async capture(session, id) {
    const name = `${session.id} ${id}`;
    const medium = session.media.find((one) => one.id === id);
    if (!medium || this.tracks.has(name) || (medium.sender && medium.sender !== session.user)) return;
    this.tracks.set(name, null);
    try {
      const wishes = medium.kind === "audio" ? { audio: true } : { video: { width: { ideal: 1280 } } };
      const [track] = (await navigator.mediaDevices.getUserMedia(wishes)).getTracks();
      if (this.tracks.has(name)) this.tracks.set(name, track);
      else track.stop();
    } catch (error) {
      // One still hears and sees the others.
      console.info("nothing is sent from here", error);
    }
    for (const { peer } of this.peers.values()) peer.attach();
    this.silence();
    this.sessions.tell();
  }

  /** Lets go of what is not this device's any more. */
  release() {
    const here = new Set(this.sessions.all.flatMap((session) =>
      this.pairs(session).flatMap((pair) => [...pair.lines.keys()].map((id) => `${session.id} ${id}`))));
    for (const [name, track] of this.tracks) {
      if (here.has(name)) continue;
      track?.stop();
      this.tracks.delete(name);
    }
    for (const name of this.remote.keys()) if (!here.has(name)) this.remote.delete(name);
    this.silence();
  }

  /** What is held or muted is not sent. */
  silence() {
    for (const session of this.sessions.all) {
      for (const medium of session.media) {
        const track = this.tracks.get(`${session.id} ${medium.id}`);
        if (track) track.enabled = medium.held.length === 0 && !this.muted.has(`${session.id} ${medium.id}`);
      }
    }
  }

  /**
   * @param {Session} session
   * @param {number} id
   */
  mute(session, id) {
    const name = `${session.id} ${id}`;
    if (!this.muted.delete(name)) this.muted.add(name);
    this.silence();
    this.sessions.tell();
  }

  /** Tells of moves whose path runs, and gives up what does not come about. */
  check() {
    for (const { peer, pair } of this.peers.values()) {
      const { session } = pair;
      const isLate = !peer.isConnected && Date.now() - peer.since > patience;
      if (peer.isConnected) peer.since = Date.now();
      for (const move of session.pending) {
        const isMine = move.change === "move" && move.by === session.user && move.device === this.own && move.until;
        if (isMine && pair.lines.has(move.medium) && (peer.isConnected || isLate)) {
          this.once(session, `media/${encodeURIComponent(move.id)}/path`, { connected: peer.isConnected });
        }
      }
      if (!isLate || !peer.offers) continue;
      for (const { medium, own } of pair.lines.values()) {
        const placed = medium.placements.find((one) => one.user === session.user);
        if (placed?.generation === own) this.once(session, `failed/${medium.id}`, {});
      }
    }
  }

  /**
   * @param {Session} session
   * @param {string} what
   * @param {object} body
   */
  once(session, what, body) {
    const name = `${session.id} ${what}`;
    if (this.told.has(name)) return;
    this.told.add(name);
    this.sessions.command(session, what, body).catch((error) => console.info("it was over already", error));
  }
}
