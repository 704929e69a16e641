// A small line chart: the last values of one figure, with its words for who cannot see it.

import { h } from "../js/dom.js";
import { number } from "../js/words.js";
import { t } from "./words.js";

const space = "http://www.w3.org/2000/svg";
const width = 300;
const height = 72;

export class Chart {
  /**
   * @param {string} name
   * @param {{points: number, seconds: number}} span how many values it keeps, and how far apart they are
   */
  constructor(name, { points, seconds }) {
    this.name = name;
    this.points = points;
    this.minutes = Math.round((points * seconds) / 60);
    /** @type {number[]} */
    this.values = [];
    this.now = h("strong", {}, "–");
    this.svg = document.createElementNS(space, "svg");
    this.svg.setAttribute("class", "chart");
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("aria-label", name);
    this.area = this.svg.appendChild(document.createElementNS(space, "path"));
    this.area.setAttribute("class", "area");
    this.line = this.svg.appendChild(document.createElementNS(space, "path"));
    this.root = h("section", {}, h("h3", {}, name), this.now, this.svg);
  }

  /** @param {number} value */
  add(value) {
    this.values = [...this.values, value].slice(-this.points);
    const most = Math.max(...this.values);
    const top = most || 1;
    const step = width / (this.points - 1);
    const left = width - step * (this.values.length - 1);
    const corners = this.values.map((one, index) =>
      `${(left + index * step).toFixed(1)} ${(height - 3 - (one / top) * (height - 6)).toFixed(1)}`);
    this.line.setAttribute("d", `M${corners.join("L")}`);
    this.area.setAttribute("d", `M${left.toFixed(1)} ${height}L${corners.join("L")}L${width} ${height}Z`);
    this.now.textContent = number(value);
    this.svg.setAttribute("aria-label", t("chartOf", {
      name: this.name, minutes: this.minutes, now: number(value), most: number(most),
    }));
  }
}
