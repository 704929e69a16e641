// Starts the page: opens its device, or signs in. What is seen of the rest is loaded when it is needed.

import { Device, placeOfPage } from "./device.js";

const place = placeOfPage();
if (place) await openPage(place);
else (await import("./views/signin.js")).chooseDevice(document.body);

/** @param {{name: string, isDemo: boolean}} place */
async function openPage(place) {
  const storage = (place.isDemo ? "demo " : "") + place.name;
  let device = await Device.open(storage);
  if (!device && place.isDemo) {
    await registerDemo(storage, place.name);
    device = await Device.open(storage);
  }
  if (!device) return (await import("./views/signin.js")).signIn(document.body, storage, place.name);
  if ("serviceWorker" in navigator) {
    const registration = await navigator.serviceWorker.register("worker.js");
    await navigator.serviceWorker.ready;
    registration.active?.postMessage({ token: device.registration.token });
  }
  (await import("./shell.js")).showShell(device);
  performance.mark("shown");
  device.start();
  return undefined;
}

/**
 * @param {string} storage
 * @param {string} name
 */
async function registerDemo(storage, name) {
  const demo = await (await fetch("/demo/devices.json")).json();
  const wanted = demo.devices.find((/** @type {{name: string}} */ one) => one.name === name);
  if (!wanted) return;
  const { features } = await import("./features.js");
  await Device.register(storage, wanted.address, demo.password, {
    kind: wanted.kind, label: wanted.label, capabilities: { accepts: ["*/*"], features: await features() },
  });
}
