// Adds the device's token to the bytes of attachments, which pictures and films ask for without one.

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** @type {string | null} */
let token = null;

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("message", (event) => {
  token = event.data.token;
  event.ports[0]?.postMessage("kept");
});

/** The token of the device whose pages these are: from memory, or after a restart from its storage. */
async function ownToken() {
  if (token) return token;
  const scope = new URL(worker.registration.scope).pathname;
  const name = (scope.startsWith("/demo/") ? "demo " : "") + scope.split("/").at(-2);
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(`continuo ${name}`);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  try {
    token = await new Promise((resolve, reject) => {
      const request = database.transaction("state").objectStore("state").get("registration");
      request.onsuccess = () => resolve(request.result?.token ?? null);
      request.onerror = () => reject(request.error);
    });
  } finally {
    database.close();
  }
  return token;
}

const attachments = /^\/v1\/(messages\/[^/]+\/parts\/\d+|files\/[^/]+\/content|sessions\/[^/]+\/content\/\d+)$/;

/** What a page may do with an attachment beside saving it: never run it, nor take its looks from it. */
const shown = new Set(["", "image", "audio", "video"]);

/** Where a page goes to save something: within its scope, since only there the worker is asked. */
const saving = new URL("content", worker.registration.scope).pathname;

worker.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== worker.location.origin) return;
  const isSaved = event.request.destination === "document" && url.pathname.startsWith(saving);
  const path = isSaved ? url.pathname.slice(saving.length) : url.pathname;
  if (!attachments.test(path) || !(isSaved || shown.has(event.request.destination))) return;
  event.respondWith((async () => {
    const headers = new Headers(event.request.headers);
    headers.set("authorization", `Bearer ${await ownToken()}`);
    const response = await fetch(path, { headers, signal: event.request.signal });
    // Nothing to save: the page stays where it is.
    return isSaved && !response.ok ? new Response(null, { status: 204 }) : response;
  })());
});

worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const [page] = await worker.clients.matchAll({ type: "window" });
    if (page) {
      await page.focus();
      page.postMessage({ open: event.notification.data });
    } else {
      await worker.clients.openWindow(`${worker.registration.scope}#/messages/${encodeURIComponent(event.notification.data)}`);
    }
  })());
});
