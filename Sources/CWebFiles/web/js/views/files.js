// The personal area: files that the server keeps for the person.

import { attempt, fill, follow, h, icon, saveLink } from "../dom.js";
import { bytes, shortTime, t } from "../words.js";
import { progress, WaitingList } from "./waiting.js";

/**
 * @typedef {import("../contract.js").StoredFile} StoredFile
 * @typedef {import("../device.js").Device} Device
 */

/** @param {Device} device */
function stored(device) {
  return /** @type {StoredFile[]} */ (device.values("file"));
}

/**
 * @param {Element} place
 * @param {Device} device
 */
export function showFiles(place, device) {
  const picker = h("input", { type: "file", multiple: true, hidden: true });
  const waiting = new WaitingList("lines", (one) => h("li", {}, h("div", { class: "whole" }, progress(device.storing, one))));
  const list = h("ul", { class: "lines" });
  const problem = h("p", { class: "problem", role: "alert" });
  const add = (/** @type {Iterable<File>} */ files) => {
    for (const file of files) {
      device.storing.add({
        to: [], text: "", links: [], attachments: [{ name: file.name, type: file.type, blob: file, sent: 0 }],
      });
    }
  };
  picker.onchange = () => {
    add(picker.files ?? []);
    picker.value = "";
  };
  const remove = async (/** @type {StoredFile} */ file) => {
    if (!confirm(t("removeFileQuestion", { name: file.name }))) return;
    await attempt(problem, () => device.api.json("DELETE", `/v1/files/${file.id}`));
  };
  const draw = () => {
    const files = stored(device);
    fill(list, files.length === 0 ? h("li", { class: "hint" }, t("noFiles")) : files.map((file) => h("li", {},
      saveLink(`/v1/files/${file.id}/content`, file.name, icon("file"), h("span", { class: "name" }, file.name)),
      h("span", { class: "hint" }, `${bytes(file.bytes)} · ${shortTime(file.stored)}`),
      h("button", { class: "quiet", "aria-label": t("removeFile", { name: file.name }), onclick: () => remove(file) }, icon("trash")))));
  };
  fill(place, h("section", {
    class: "page",
    ondragover: (/** @type {DragEvent} */ event) => event.preventDefault(),
    ondrop: (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      add(event.dataTransfer?.files ?? []);
    },
  },
  h("h2", {}, t("files")),
  h("p", { class: "hint" }, t("filesLead")),
  h("div", { class: "row" }, h("button", { onclick: () => picker.click() }, icon("attach"), t("storeFile")), picker),
  problem, waiting.root, list));
  draw();
  const drawWaiting = () => waiting.set(device.storing.entries);
  drawWaiting();
  follow(device, list, draw);
  follow(device, waiting.root, drawWaiting, "storing");
}

/**
 * Lets the person choose a file of the personal area for a message: it is not uploaded again.
 * @param {Device} device
 * @returns {Promise<import("../queue.js").Link | null>}
 */
export function chooseStored(device) {
  return new Promise((resolve) => {
    const choose = (/** @type {StoredFile} */ file) => {
      resolve({ name: file.name, bytes: file.bytes, part: { file: file.id, name: file.name } });
      dialog.close();
    };
    const files = stored(device);
    const dialog = h("dialog", { "aria-label": t("attachStored"), onclose: () => { dialog.remove(); resolve(null); } },
      h("h2", {}, t("attachStored")),
      h("ul", { class: "lines" }, files.length === 0 ? h("li", { class: "hint" }, t("noFiles")) : files.map((file) =>
        h("li", {}, h("button", { type: "button", class: "whole", onclick: () => choose(file) },
          icon("file"), h("span", { class: "name" }, file.name), h("span", { class: "hint" }, bytes(file.bytes)))))),
      h("div", { class: "row" }, h("button", { type: "button", onclick: () => dialog.close() }, t("cancel"))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
