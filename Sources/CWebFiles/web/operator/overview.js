// Live figures: the difference of what the server has counted between two looks.

import { fill, h } from "../js/dom.js";
import { longTime, number } from "../js/words.js";
import { Chart } from "./chart.js";
import { t } from "./words.js";

/**
 * @typedef {{microseconds?: number, count: number}} Bucket
 * @typedef {{version: string, started: string, connections: number, messages: number, commits: number, outbox: number,
 *   latency: Bucket[]}} Status
 */

const seconds = 2;
const points = 150;

/**
 * @param {Element} place
 * @param {import("../js/api.js").Api} api
 */
export function showOverview(place, api) {
  const charts = {
    messages: new Chart(t("perSecond"), { points, seconds }),
    latency: new Chart(t("latency"), { points, seconds }),
    connections: new Chart(t("connections"), { points, seconds }),
    outbox: new Chart(t("outbox"), { points, seconds }),
  };
  const facts = h("p", { class: "hint" });
  const problem = h("p", { class: "problem", role: "status" });
  const page = h("section", { class: "page wide" }, h("h2", {}, t("overview")), problem,
    h("div", { class: "figures" }, Object.values(charts).map((chart) => chart.root)), facts);
  fill(place, page);
  /** @type {{status: Status, at: number} | null} */
  let before = null;
  const look = async () => {
    if (!page.isConnected) return;
    try {
      /** @type {Status} */
      const status = await api.json("GET", "/operator/status");
      const at = performance.now();
      fill(problem);
      fill(facts, t("since", {
        version: status.version, time: longTime(status.started),
        messages: number(status.messages), commits: number(status.commits),
      }));
      charts.connections.add(status.connections);
      charts.outbox.add(status.outbox);
      // A server that started anew counts from nothing.
      if (before && before.status.started === status.started) {
        const passed = (at - before.at) / 1000;
        charts.messages.add(Math.round((10 * (status.messages - before.status.messages)) / passed) / 10);
        charts.latency.add(percentile(before.status.latency, status.latency, 0.99));
      }
      before = { status, at };
    } catch {
      fill(problem, t("unreachable"));
      before = null;
    }
    setTimeout(look, seconds * 1000);
  };
  look();
}

/**
 * The upper bound of the bucket that so many of the new commands stay within, milliseconds; 0 when there were none.
 * @param {Bucket[]} before
 * @param {Bucket[]} after
 * @param {number} share
 */
function percentile(before, after, share) {
  const counts = after.map((bucket, index) => bucket.count - before[index].count);
  const sum = counts.reduce((total, count) => total + count, 0);
  if (sum === 0) return 0;
  let seen = 0;
  const index = counts.findIndex((count) => {
    seen += count;
    return seen >= sum * share;
  });
  const last = after[after.length - 2].microseconds ?? 0;
  return Math.round((after[index].microseconds ?? 2 * last) / 10) / 100;
}
