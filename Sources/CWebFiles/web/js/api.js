// Requests to the server.

import { Problem } from "./contract.js";

/** @typedef {import("./contract.js").Upload} Upload */

export class Api {
  /** @param {string | null} token */
  constructor(token) {
    this.token = token;
    /** The server's clock minus ours, milliseconds. */
    this.skew = 0;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>} the answer's document; null for none
   */
  async json(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    return Api.read(response);
  }

  /** @param {Response} response */
  static async read(response) {
    if (!response.ok) {
      const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json");
      throw new Problem(
        isProblem ? await response.json()
          : { type: "", title: "", status: response.status, code: "http", detail: response.statusText || `HTTP ${response.status}` },
      );
    }
    return response.status === 204 ? null : response.json();
  }

  /**
   * Appends bytes to an upload where it stands, telling how far it has come.
   * @param {string} id
   * @param {number} offset
   * @param {Blob} piece
   * @param {(sent: number) => void} progress
   * @param {AbortSignal} signal
   * @returns {Promise<Upload>}
   */
  append(id, offset, piece, progress, signal) {
    // Of all requests only this kind tells how much of its body has gone.
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PATCH", `/v1/uploads/${id}`);
      request.setRequestHeader("authorization", `Bearer ${this.token}`);
      request.setRequestHeader("content-type", "application/octet-stream");
      request.setRequestHeader("upload-offset", String(offset));
      request.upload.onprogress = (event) => progress(offset + event.loaded);
      // It may be somebody in between who answers, and not in JSON.
      request.onload = () => resolve(Api.read(new Response(request.responseText || null, {
        status: request.status, statusText: request.statusText,
        headers: { "content-type": request.getResponseHeader("content-type") ?? "" },
      })));
      request.onerror = () => reject(new TypeError("the connection broke"));
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(piece);
    });
  }
}

/**
 * A UUID of version 7 (RFC 9562, section 5.7) on the server's clock.
 * @param {number} skew
 */
export function newID(skew) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let time = Date.now() + skew;
  for (let index = 5; index >= 0; index -= 1) {
    bytes[index] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
