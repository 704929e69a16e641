// What goes with a message: files of this device, and things that the server has already.

import { fill, h, icon } from "../dom.js";
import { bytes, t } from "../words.js";
import { cameraButton } from "./camera.js";
import { isPicture } from "./message.js";

/** Larger pictures are not read for a small one. */
const largestThumbnail = 30_000_000;

/**
 * @typedef {import("../queue.js").Link} Link
 */

export class Attachments {
  /**
   * @param {import("../device.js").Device} device
   * @param {{files?: File[], links?: Link[]}} begun
   * @param {() => void} changed
   */
  constructor(device, { files = [], links = [] }, changed) {
    this.files = files;
    this.links = links;
    this.changed = changed;
    this.list = h("ul", { class: "attachments" });
    /** @type {WeakMap<File, Element>} */
    this.thumbnails = new WeakMap();
    const picker = h("input", { type: "file", multiple: true, hidden: true });
    picker.onchange = () => {
      this.add(picker.files ?? []);
      picker.value = "";
    };
    this.buttons = [
      h("button", { type: "button", class: "quiet", "aria-label": t("attach"), title: t("attach"), onclick: () => picker.click() }, icon("attach")),
      picker,
      cameraButton((file) => this.add([file])),
      h("button", {
        type: "button", class: "quiet", "aria-label": t("attachStored"), title: t("attachStored"),
        onclick: async () => {
          const { chooseStored } = await import("./files.js");
          const link = await chooseStored(device);
          if (link) this.link(link);
        },
      }, icon("folder")),
    ];
    this.draw();
  }

  get isEmpty() {
    return this.files.length === 0 && this.links.length === 0;
  }

  /** @param {Iterable<File>} more */
  add(more) {
    this.files = [...this.files, ...more].filter((file) => file.size > 0);
    this.draw();
    this.changed();
  }

  /** @param {Link} link */
  link(link) {
    this.links = [...this.links, link];
    this.draw();
    this.changed();
  }

  clear() {
    this.files = [];
    this.links = [];
    this.draw();
  }

  draw() {
    const entry = (/** @type {Element} */ drawing, /** @type {string} */ name, /** @type {number} */ size, /** @type {() => void} */ remove) =>
      h("li", {}, drawing, h("span", { class: "name" }, name), h("span", { class: "hint" }, bytes(size)),
        h("button", {
          type: "button", class: "quiet", "aria-label": t("removeAttachment", { name }),
          onclick: () => {
            remove();
            this.draw();
            this.changed();
          },
        }, icon("close")));
    fill(this.list,
      this.links.map((link) => entry(icon(link.part.forward ? "forward" : "folder"), link.name, link.bytes, () => {
        this.links = this.links.filter((one) => one !== link);
      })),
      this.files.map((file) => entry(this.thumbnail(file), file.name, file.size, () => {
        this.files = this.files.filter((one) => one !== file);
      })));
  }

  /** @param {File} file */
  thumbnail(file) {
    const held = this.thumbnails.get(file);
    if (held) return held;
    if (!isPicture(file.type) || file.size > largestThumbnail) return icon("file");
    const canvas = h("canvas", { class: "thumbnail", width: 80, height: 80, "aria-hidden": "true" });
    this.thumbnails.set(file, canvas);
    createImageBitmap(file).then((picture) => {
      const side = Math.min(picture.width, picture.height);
      canvas.getContext("2d")?.drawImage(
        picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
      picture.close();
    }).catch(() => canvas.replaceWith(icon("file")));
    return canvas;
  }
}
