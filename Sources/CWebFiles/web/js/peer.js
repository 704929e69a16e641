// The connection between this device and one of somebody else's: all media that both have run over it.

/**
 * @typedef {import("./contract.js").Medium} Medium
 * @typedef {{medium: Medium, own: number, theirs: number, sends: boolean, receives: boolean}} Line
 *   a medium with the generations of its two ends
 * @typedef {{
 *   send: (line: Line, payload: object) => void,
 *   track: (medium: number) => MediaStreamTrack | null,
 *   arrived: (medium: number, track: MediaStreamTrack) => void,
 *   state: () => void,
 * }} Owner
 */

/** An offer that is not answered is made again: what carries it keeps nothing. */
const offerEvery = 2000;
/** How long candidates are gathered before an offer goes as it is. */
const gatherFor = 1500;

export class Peer {
  /**
   * @param {RTCConfiguration} configuration
   * @param {boolean} offers whether this end makes the offers; the other one only answers, unless it says otherwise
   * @param {Owner} owner
   */
  constructor(configuration, offers, owner) {
    this.configuration = configuration;
    this.offers = offers;
    this.owner = owner;
    this.connection = this.open();
    /** @type {Map<number, Line>} */
    this.lines = new Map();
    /** @type {Map<number, RTCRtpTransceiver>} by medium */
    this.transceivers = new Map();
    /** @type {Map<string, number>} media by the names that the description has for them */
    this.names = new Map();
    this.since = Date.now();
    this.isClosed = false;
    this.hasAsked = false;
    /** What names the other end's connection in its offers. */
    this.origin = "";
    /** Offers and answers, one after the other. */
    this.work = Promise.resolve();
    this.timer = 0;
  }

  open() {
    const connection = new RTCPeerConnection(this.configuration);
    connection.ontrack = (event) => {
      const medium = this.names.get(event.transceiver.mid ?? "");
      if (medium !== undefined) this.owner.arrived(medium, event.track);
    };
    connection.onconnectionstatechange = () => {
      if (connection !== this.connection) return;
      if (connection.connectionState === "failed" && this.offers) {
        connection.restartIce();
        this.offer();
      }
      this.owner.state();
    };
    return connection;
  }

  /** The other end has lost what was agreed with it: its page was loaded anew. So nothing of it counts here either. */
  renew() {
    this.connection.close();
    this.connection = this.open();
    this.transceivers.clear();
    this.names.clear();
  }

  /**
   * Whoever speaks for a device elsewhere may need an offer, or have one, whatever the addresses say.
   * @param {boolean} offers
   */
  assume(offers) {
    this.work = this.work.then(() => {
      if (this.isClosed || this.offers === offers) return;
      this.offers = offers;
      clearTimeout(this.timer);
      this.renew();
    });
  }

  get isConnected() {
    return this.connection.connectionState === "connected";
  }

  /**
   * What is to run over it now.
   * @param {Map<number, Line>} lines
   */
  set(lines) {
    const added = [...lines.keys()].filter((id) => !this.transceivers.has(id));
    const removed = [...this.transceivers.keys()].filter((id) => !lines.has(id));
    this.lines = lines;
    for (const id of removed) {
      if (this.offers) this.transceivers.get(id)?.stop();
      this.transceivers.delete(id);
    }
    if (this.offers) {
      for (const id of added) {
        const line = /** @type {Line} */ (lines.get(id));
        const kind = line.medium.kind === "audio" ? "audio" : "video";
        this.transceivers.set(id, this.connection.addTransceiver(kind, { direction: "sendrecv" }));
      }
      if (added.length > 0 || removed.length > 0) this.offer();
    } else if (!this.hasAsked && this.first) {
      // A page loaded anew knows nothing of the connection that the other end still holds.
      this.hasAsked = true;
      this.owner.send(this.first, { ask: true });
    }
    this.attach();
  }

  /** Each medium sends what this device has for it, or nothing. */
  attach() {
    for (const [id, transceiver] of this.transceivers) {
      const track = this.lines.get(id)?.sends ? this.owner.track(id) : null;
      if (transceiver.sender.track !== track && transceiver.currentDirection !== "stopped") {
        transceiver.sender.replaceTrack(track).catch(() => {});
      }
    }
  }

  /** The line that stands for all of them when something is said to the other end. */
  get first() {
    return [...this.lines.values()].sort((one, other) => one.medium.id - other.medium.id)[0];
  }

  offer() {
    this.work = this.work.then(async () => {
      if (this.isClosed || this.connection.signalingState === "have-remote-offer") return;
      await this.connection.setLocalDescription(await this.connection.createOffer());
      await this.gathered();
      this.sayOffer();
    }).catch((error) => console.warn("an offer could not be made", error));
  }

  sayOffer() {
    clearTimeout(this.timer);
    const line = this.first;
    if (this.isClosed || !line || this.connection.signalingState !== "have-local-offer") return;
    const names = Object.fromEntries([...this.transceivers].map(([id, one]) => [one.mid, id]));
    this.owner.send(line, { description: this.connection.localDescription?.toJSON(), names });
    this.timer = window.setTimeout(() => this.sayOffer(), offerEvery);
  }

  /**
   * @param {{
   *   description?: RTCSessionDescriptionInit, names?: Record<string, number>, ask?: boolean, turn?: "offer" | "answer",
   *   needs?: string, refused?: string,
   * }} payload
   */
  take(payload) {
    // Whatever the other end says comes unread.
    if (payload === null || typeof payload !== "object") return;
    if (payload.turn) this.assume(payload.turn === "offer");
    if (payload.ask) {
      this.begin();
      return;
    }
    this.work = this.work.then(async () => {
      const { description, names } = payload;
      if (this.isClosed || !description) return;
      if (description.type === "answer") {
        if (this.connection.signalingState !== "have-local-offer") return;
        clearTimeout(this.timer);
        for (const [id, one] of this.transceivers) if (one.mid) this.names.set(one.mid, id);
        await this.connection.setRemoteDescription(description);
        return;
      }
      if (this.offers) return;
      if (!/^a=fingerprint:/m.test(description.sdp ?? "")) {
        // A phone's, with nothing to protect it: browsers do not take that.
        if (this.first) this.owner.send(this.first, { needs: "webrtc" });
        return;
      }
      // It comes from an end that knows of this one: there is nothing to ask for any more.
      this.hasAsked = true;
      const origin = /^o=\S+ (\S+)/m.exec(description.sdp ?? "")?.[1] ?? "";
      if (this.origin !== "" && this.origin !== origin) this.renew();
      this.origin = origin;
      for (const [mid, id] of Object.entries(names ?? {})) this.names.set(mid, Number(id));
      await this.connection.setRemoteDescription(description);
      for (const transceiver of this.connection.getTransceivers()) {
        const id = this.names.get(transceiver.mid ?? "");
        if (id === undefined || transceiver.currentDirection === "stopped" || transceiver.direction === "stopped") continue;
        transceiver.direction = "sendrecv";
        this.transceivers.set(id, transceiver);
      }
      this.attach();
      await this.connection.setLocalDescription(await this.connection.createAnswer());
      await this.gathered();
      const line = this.first;
      if (line) this.owner.send(line, { description: this.connection.localDescription?.toJSON() });
    }).catch((error) => console.warn("an offer or answer could not be taken", error));
  }

  /** The other end has begun anew. Where nothing was agreed with it yet an offer is on its way anyhow. */
  begin() {
    this.work = this.work.then(() => {
      if (!this.offers || this.isClosed) return;
      if (this.connection.remoteDescription) {
        clearTimeout(this.timer);
        this.renew();
      } else if (this.transceivers.size > 0) {
        return;
      }
      this.set(this.lines);
    });
  }

  /** Candidates go with the description: the other end may be another provider's. */
  gathered() {
    const { connection } = this;
    if (connection.iceGatheringState === "complete") return Promise.resolve();
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      const timer = setTimeout(resolve, gatherFor);
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState !== "complete") return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.connection.close();
  }
}
