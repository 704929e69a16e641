// The device's socket: the server's changes come in, acknowledgements and commands go out.

import { Problem } from "./contract.js";

const firstPause = 500;
const longestPause = 30_000;
/** A disk that is full is not free again in a moment. */
const unkeptPause = 5000;
/** Codes after which connecting again is of no use. */
const unauthenticated = 4401;
const replaced = 4409;

/**
 * @typedef {"connecting" | "live" | "off" | "replaced" | "revoked"} State
 */

export class Stream {
  /**
   * @param {{
   *   hello: () => object,
   *   frame: (frame: any) => Promise<{ack: number, level: number} | null>,
   *   state: (state: State) => void,
   * }} owner `frame` keeps what came and says what to acknowledge.
   */
  constructor(owner) {
    this.owner = owner;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.pause = firstPause;
    this.isStopped = false;
    /** Frames are kept one after the other, in their order. */
    this.work = Promise.resolve();
    this.timer = 0;
    addEventListener("online", () => this.hurry());
    addEventListener("offline", () => this.socket?.close());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  start() {
    if (this.isStopped || this.socket) return;
    this.owner.state("connecting");
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/socket`);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ hello: this.owner.hello() }));
    socket.onmessage = (event) => {
      const frame = JSON.parse(event.data);
      this.work = this.work.then(() => this.keep(socket, frame));
    };
    socket.onclose = (event) => this.closed(event.code);
  }

  /**
   * @param {WebSocket} socket
   * @param {any} frame
   */
  async keep(socket, frame) {
    if (socket !== this.socket) return;
    try {
      const progress = await this.owner.frame(frame);
      if (frame.welcome) {
        this.pause = firstPause;
        this.owner.state("live");
      }
      if (progress && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(progress));
    } catch (error) {
      // What was not kept is not acknowledged: it comes again with the next connection.
      console.error("a frame could not be kept", error);
      this.pause = unkeptPause;
      socket.close();
    }
  }

  /**
   * Something that is worth nothing later: without a connection it is dropped.
   * @param {object} hint
   */
  say(hint) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(hint));
  }

  /** @param {number} code */
  closed(code) {
    this.socket = null;
    if (code === unauthenticated) return this.end("revoked");
    if (code === replaced) return this.end("replaced");
    if (this.isStopped) return undefined;
    this.owner.state("off");
    this.timer = window.setTimeout(() => this.start(), this.pause * (0.5 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, longestPause);
    return undefined;
  }

  hurry() {
    if (this.socket || this.isStopped) return;
    clearTimeout(this.timer);
    this.pause = firstPause;
    this.start();
  }

  /** @param {State} state */
  end(state) {
    this.isStopped = true;
    this.owner.state(state);
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.socket?.close();
  }
}

/** @param {unknown} error */
export function isTemporary(error) {
  return error instanceof TypeError || (error instanceof Problem && error.isTemporary);
}
