// Voice and live video on this device: which connections there are to be, what they send, and what is heard and seen.

import { h } from "./dom.js";
import { Paths } from "./paths.js";
import { Peer } from "./peer.js";

/**
 * @typedef {import("./contract.js").Session} Session
 * @typedef {import("./contract.js").Medium} Medium
 * @typedef {import("./contract.js").Signal} Signal
 * @typedef {import("./peer.js").Line} Line
 * @typedef {{session: Session, user: string, device: number, lines: Map<number, Line>}} Pair
 * @typedef {{user: string, track: MediaStreamTrack, sound: HTMLAudioElement | null}} Remote `sound`: where a voice is heard
 */

/** What the server tells of relays is asked again after so long: half as long as its credentials hold. */
const relaysHold = 6 * 3_600_000;

export class Calls {
  /** @param {import("./sessions.js").Sessions} sessions */
  constructor(sessions) {
    this.sessions = sessions;
    this.own = sessions.own;
    /** @type {RTCConfiguration | null} */
    this.configuration = null;
    this.asked = 0;
    /** @type {Map<string, {peer: Peer, pair: Pair}>} by session, user and their device */
    this.peers = new Map();
    /** @type {Map<string, MediaStreamTrack | null>} What this device sends, by session and medium; null while asked for. */
    this.tracks = new Map();
    /** @type {Set<string>} What was asked for and not had: a microphone or a camera that is missing or was denied. */
    this.missing = new Set();
    /** @type {Map<string, Remote[]>} What comes, by session and medium. */
    this.remote = new Map();
    /** @type {Set<string>} */
    this.muted = new Set();
    /** @type {Signal[]} Signals for a connection that this device does not know of yet. */
    this.early = [];
    this.paths = new Paths(sessions, this.peers);
    this.timer = setInterval(() => this.paths.check(), 1000);
    this.isStopped = false;
  }

  /** Another page is this device now, or none is: it has the calls, the microphone and the camera. */
  stop() {
    this.isStopped = true;
    clearInterval(this.timer);
    for (const { peer } of this.peers.values()) peer.close();
    for (const track of this.tracks.values()) track?.stop();
    for (const one of [...this.remote.values()].flat()) quieten(one);
    for (const all of [this.peers, this.tracks, this.missing, this.remote]) all.clear();
    this.sessions.tell();
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

  /** Who cannot be asked now is asked with the next change; until then paths are sought without relays. */
  async askForRelays() {
    if (this.configuration && Date.now() - this.asked < relaysHold) return;
    try {
      this.configuration = await this.sessions.device.api.json("GET", "/v1/ice");
      this.asked = Date.now();
    } catch (error) {
      console.info("no relays are known", error);
    }
  }

  async update() {
    await this.askForRelays();
    if (this.isStopped) return;
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
    this.paths.check();
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
      arrived: (id, track) => this.arrived(`${session.id} ${id}`, pair.user, track),
      state: () => this.paths.check(),
    });
    this.peers.set(key, { peer, pair });
    peer.set(pair.lines);
  }

  /**
   * A voice is heard from here, whatever page is shown; what is seen has its place in the conversation.
   * @param {string} name
   * @param {string} user
   * @param {MediaStreamTrack} track
   */
  arrived(name, user, track) {
    const all = this.remote.get(name) ?? [];
    for (const one of all) if (one.user === user) quieten(one);
    const sound = track.kind === "audio" ? h("audio", { autoplay: true }) : null;
    if (sound) {
      sound.srcObject = new MediaStream([track]);
      document.body.append(sound);
      sound.play().catch(() => {});
    }
    this.remote.set(name, [...all.filter((one) => one.user !== user), { user, track, sound }]);
    this.sessions.tell();
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
      if (this.tracks.has(name)) this.missing.add(name);
    }
    for (const { peer } of this.peers.values()) peer.attach();
    this.silence();
    this.sessions.tell();
  }

  /**
   * Asks for it again: it may be allowed now, or plugged in.
   * @param {Session} session
   * @param {number} id
   */
  captureAgain(session, id) {
    const name = `${session.id} ${id}`;
    if (!this.missing.delete(name)) return undefined;
    this.tracks.delete(name);
    return this.capture(session, id);
  }

  /** Lets go of what is not this device's any more. */
  release() {
    /** @type {Map<string, Set<string>>} Who shares each medium with this device. */
    const here = new Map();
    for (const session of this.sessions.all) {
      for (const { user, lines } of this.pairs(session)) {
        for (const id of lines.keys()) {
          const name = `${session.id} ${id}`;
          here.set(name, (here.get(name) ?? new Set()).add(user));
        }
      }
    }
    for (const [name, track] of this.tracks) {
      if (here.has(name)) continue;
      track?.stop();
      this.tracks.delete(name);
      this.missing.delete(name);
    }
    let isLess = false;
    for (const [name, all] of this.remote) {
      const left = all.filter((one) => here.get(name)?.has(one.user));
      for (const one of all) if (!left.includes(one)) quieten(one);
      isLess ||= left.length < all.length;
      if (left.length > 0) this.remote.set(name, left);
      else this.remote.delete(name);
    }
    this.silence();
    if (isLess) this.sessions.tell();
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
}

/** @param {Remote} one */
function quieten({ sound }) {
  if (!sound) return;
  sound.srcObject = null;
  sound.remove();
}
