// Writing a message.

import { fill, h, icon } from "../dom.js";
import { bytes, plainAddress, t } from "../words.js";
import { contactsOf } from "./contacts.js";

/** Longer text goes as a file, bytes. */
const longestText = 64_000;

/**
 * @param {import("../device.js").Device} device
 * @param {{to?: string[], conversation?: string, onsent?: () => void}} context with `to`, a line below a conversation
 */
export function composer(device, { to, conversation, onsent }) {
  /** @type {File[]} */
  let files = [];
  const receivers = h("input", { name: "to", required: true, autocomplete: "off", spellcheck: "false", placeholder: t("toHint"), list: "known-people" });
  const people = h("datalist", { id: "known-people" }, contactsOf(device).flatMap((one) =>
    one.addresses.map((address) => h("option", { value: plainAddress(address) }, one.name))));
  const subject = h("input", { name: "subject", maxLength: 500 });
  const text = h("textarea", { name: "text", rows: to ? 1 : 6, dir: "auto", "aria-label": t("text"), placeholder: t("text") });
  const picker = h("input", { type: "file", multiple: true, hidden: true });
  const list = h("ul", { class: "attachments" });
  const send = h("button", { class: "primary", "aria-label": t("send") }, icon("send"));

  const draw = () => {
    fill(list, files.map((file) => h("li", {},
      icon("file"), h("span", { class: "name" }, file.name), h("span", { class: "hint" }, bytes(file.size)),
      h("button", {
        type: "button", class: "quiet", "aria-label": t("removeAttachment", { name: file.name }),
        onclick: () => { files = files.filter((one) => one !== file); draw(); },
      }, icon("close")))));
    send.disabled = files.length === 0 && text.value.trim() === "" && subject.value.trim() === "";
  };
  const add = (/** @type {Iterable<File>} */ more) => {
    files = [...files, ...more].filter((file) => file.size > 0);
    draw();
  };
  picker.onchange = () => { add(picker.files ?? []); picker.value = ""; };
  text.oninput = draw;
  subject.oninput = draw;
  text.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !to) return;
    event.preventDefault();
    form.requestSubmit();
  };
  text.onpaste = (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      add(event.clipboardData.files);
    }
  };

  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (send.disabled) return;
    const words = text.value.trim() === "" ? "" : text.value;
    const isLong = new Blob([words]).size > longestText;
    const whole = isLong ? [new File([words], `${t("text")}.txt`, { type: "text/plain" }), ...files] : files;
    await device.queue.add({
      to: to ?? receivers.value.split(",").map((one) => one.trim()).filter((one) => one !== ""),
      conversation,
      subject: subject.value.trim() || undefined,
      text: isLong ? "" : words,
      attachments: whole.map((file) => ({ name: file.name, type: file.type, blob: file, sent: 0 })),
    });
    files = [];
    text.value = "";
    draw();
    onsent?.();
  };
  const form = h("form", {
    class: to ? "composer line" : "composer",
    onsubmit: submit,
    ondragover: (/** @type {DragEvent} */ event) => { event.preventDefault(); form.classList.add("over"); },
    ondragleave: () => form.classList.remove("over"),
    ondrop: (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      form.classList.remove("over");
      add(event.dataTransfer?.files ?? []);
    },
  },
  !to && h("label", {}, t("to"), receivers), !to && people,
  !to && h("label", {}, t("subject"), subject),
  list,
  h("div", { class: "row" },
    h("button", { type: "button", class: "quiet", "aria-label": t("attach"), onclick: () => picker.click() }, icon("attach")),
    picker, text, send));
  draw();
  return form;
}
