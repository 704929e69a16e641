// A picture from the camera, for a message.

import { fill, h, icon } from "../dom.js";
import { t } from "../words.js";

/**
 * A phone has a camera application of its own; elsewhere the picture is taken in the page.
 * @param {(picture: File) => void} taken
 */
export function cameraButton(taken) {
  const isPhone = matchMedia("(pointer: coarse) and (hover: none)").matches;
  if (!isPhone && !navigator.mediaDevices?.getUserMedia) return null;
  const picker = h("input", { type: "file", accept: "image/*", capture: "environment", hidden: true, tabindex: "-1" });
  picker.onchange = () => {
    for (const file of picker.files ?? []) taken(file);
    picker.value = "";
  };
  return h("button", {
    type: "button", class: "quiet", "aria-label": t("camera"), title: t("camera"),
    onclick: () => (isPhone ? picker.click() : takePicture(taken)),
  }, icon("camera"));
}

/** @param {(picture: File) => void} taken */
async function takePicture(taken) {
  const video = h("video", { autoplay: true, muted: true, playsinline: true });
  const problem = h("p", { class: "problem", role: "alert" });
  const take = h("button", { class: "primary", type: "button", disabled: true }, icon("camera"), t("takePicture"));
  const dialog = h("dialog", { class: "camera", "aria-label": t("camera") }, video, problem,
    h("div", { class: "row" }, take, h("button", { type: "button", onclick: () => dialog.close() }, t("cancel"))));
  /** @type {MediaStream | null} */
  let stream = null;
  const stop = () => stream?.getTracks().forEach((track) => track.stop());
  dialog.onclose = () => {
    stop();
    dialog.remove();
  };
  take.onclick = () => {
    const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      const name = `${t("picture")} ${new Date().toISOString().slice(0, 19).replaceAll(":", ".")}.jpg`;
      if (blob) taken(new File([blob], name, { type: "image/jpeg" }));
      dialog.close();
    }, "image/jpeg", 0.9);
  };
  document.body.append(dialog);
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
    if (!dialog.open) return stop();
    video.srcObject = stream;
    video.onloadedmetadata = () => { take.disabled = false; };
  } catch {
    fill(problem, t("noCamera"));
  }
  return undefined;
}
