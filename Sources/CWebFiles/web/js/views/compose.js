// Writing a message.

import { fill, h, icon } from "../dom.js";
import { plainAddress, t } from "../words.js";
import { Attachments } from "./attachments.js";
import { receiverField, receiversOf } from "./receivers.js";

/** Longer text goes as a file, bytes. */
const longestText = 64_000;

/**
 * @typedef {import("../contract.js").Item} Item
 * @typedef {import("../contract.js").Envelope} Envelope
 */

/**
 * @param {import("../device.js").Device} device
 * @param {{to?: string[], conversation?: string, forward?: Envelope,
 *   live?: () => import("../contract.js").Session | undefined, onsent?: () => void}} context
 *   with `to`, a line below a conversation; `live`: the session that what is said belongs to
 */
export function composer(device, { to, conversation, forward, live, onsent }) {
  const place = conversation ?? (forward ? `forward ${forward.id}` : "new");
  const draft = device.drafts.byPlace.get(place);
  const receivers = receiverField(device);
  receivers.input.value = draft?.to ?? "";
  const subject = h("input", { name: "subject", maxLength: 500, value: draft?.subject ?? "" });
  if (forward && !draft) subject.value = prefixed(t("forwardPrefix"), forward.subject);
  const text = h("textarea", { name: "text", rows: to ? 1 : 6, dir: "auto", "aria-label": t("text"), placeholder: t("text") });
  text.value = draft?.text ?? "";
  const send = h("button", { class: "primary", "aria-label": t("send") }, icon("send"));
  const discard = h("button", { type: "button", class: "quiet", hidden: !draft }, t("discard"));
  const quote = h("div", { class: "quote", hidden: true });
  let inReplyTo = draft?.inReplyTo;

  const changed = () => {
    send.disabled = attachments.isEmpty && text.value.trim() === "" && (to !== undefined || subject.value.trim() === "");
    device.drafts.keep(place, {
      to: to ? undefined : receivers.input.value, subject: subject.value, text: text.value, inReplyTo,
      files: attachments.files, links: attachments.links,
    });
    discard.hidden = !device.drafts.byPlace.has(place);
  };
  const attachments = new Attachments(device, draft ?? { links: forward ? linksOf(forward) : [] }, changed);
  const clear = () => {
    attachments.clear();
    inReplyTo = undefined;
    for (const field of [text, subject, receivers.input]) field.value = "";
    drawQuote();
    changed();
    return device.drafts.drop(place);
  };
  const drawQuote = () => {
    const answered = inReplyTo ? device.conversations.messages.get(inReplyTo) : undefined;
    const content = answered?.message ?? answered?.notice;
    quote.hidden = !content;
    fill(quote, content && h("p", {}, icon("reply"), " ", t("replyingTo", { from: plainAddress(content.from) }),
      h("span", { class: "line" }, excerpt(answered))),
    h("button", {
      type: "button", class: "quiet", "aria-label": t("noReply"),
      onclick: () => { inReplyTo = undefined; subject.value = ""; drawQuote(); changed(); text.focus(); },
    }, icon("close")));
  };
  const reply = (/** @type {Item} */ item) => {
    const was = (item.message ?? item.notice)?.subject;
    inReplyTo = item.id;
    subject.value = was ? prefixed(t("replyPrefix"), was) : "";
    drawQuote();
    changed();
    text.focus();
  };

  discard.onclick = () => clear().then(() => (to ? text : receivers.input).focus());
  for (const field of [text, subject, receivers.input]) field.addEventListener("input", changed);
  text.addEventListener("input", () => {
    const session = live?.();
    if (session) device.sessions.typing(session);
  });
  text.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !to) return;
    event.preventDefault();
    form.requestSubmit();
  };
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (send.disabled) return;
    const words = text.value.trim() === "" ? "" : text.value;
    const isLong = new Blob([words]).size > longestText;
    const whole = isLong ? [new File([words], `${t("text")}.txt`, { type: "text/plain" }), ...attachments.files] : attachments.files;
    const adding = device.queue.add({
      to: to ?? receiversOf(device, receivers.input.value),
      conversation,
      session: live?.()?.id,
      inReplyTo,
      subject: subject.value.trim() || undefined,
      text: isLong ? "" : words,
      attachments: whole.map((file) => ({ name: file.name, type: file.type, blob: file, sent: 0 })),
      links: attachments.links,
    });
    device.sessions.said();
    // At once: who types on at once must not see it vanish.
    await Promise.all([adding, clear()]);
    onsent?.();
  };
  const form = h("form", {
    class: to ? "composer line" : "composer",
    onsubmit: submit,
    onpaste: (/** @type {ClipboardEvent} */ event) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      attachments.add(event.clipboardData.files);
    },
    ondragover: (/** @type {DragEvent} */ event) => { event.preventDefault(); form.classList.add("over"); },
    ondragleave: () => form.classList.remove("over"),
    ondrop: (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      form.classList.remove("over");
      attachments.add(event.dataTransfer?.files ?? []);
    },
  },
  !to && [h("label", {}, t("to"), receivers.input), receivers.people, h("label", {}, t("subject"), subject)],
  quote, attachments.list,
  to
    ? h("div", { class: "row" }, attachments.buttons, text, discard, send)
    : [text, h("div", { class: "row" }, attachments.buttons, h("span", { class: "gap" }), discard, send)]);
  drawQuote();
  changed();
  return Object.assign(form, { reply });
}

/**
 * Every part of a message, as the server has it: nothing is uploaded again.
 * @param {Envelope} message
 * @returns {import("../queue.js").Link[]}
 */
function linksOf(message) {
  return message.parts.map((part, index) => ({
    name: part.name ?? shortened(part.text) ?? part.type,
    bytes: part.bytes,
    part: { forward: { message: message.id, part: index } },
  }));
}

/** @param {string | undefined} text */
function shortened(text) {
  return text && text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/**
 * @param {string} prefix
 * @param {string} [subject]
 */
function prefixed(prefix, subject = "") {
  return subject.startsWith(`${prefix} `) || subject === "" ? subject : `${prefix} ${subject}`;
}

/** @param {Item | undefined} item */
export function excerpt(item) {
  const { message, notice } = item ?? {};
  return (message?.parts.find((part) => part.text)?.text ?? message?.subject ?? notice?.subject
    ?? message?.parts.find((part) => part.name)?.name ?? "").slice(0, 120);
}
