// A long list of which only what is in sight is drawn. Heights are measured as entries come into sight; until then a
// guess stands for them, and what the reader looks at stays where it is when a guess was wrong.

/** So much above and below what is in sight is drawn too, pixels. */
const margin = 400;

/**
 * @template Entry
 * @typedef {{
 *   guess: number,
 *   gap: number,
 *   key: (entry: Entry) => string,
 *   version: (entry: Entry) => unknown,
 *   draw: (entry: Entry) => HTMLElement,
 *   keepsEnd?: boolean,
 *   drawn?: () => void,
 * }} Ways `guess` and `gap`: pixels; `version` is what an entry is drawn again for when it changes; `keepsEnd` follows the last entry.
 */

/** @template Entry */
export class VirtualList {
  /**
   * @param {HTMLElement} list the element that scrolls
   * @param {Ways<Entry>} ways
   */
  constructor(list, ways) {
    this.list = list;
    list.tabIndex = -1;
    this.ways = ways;
    /** @type {Entry[]} */
    this.entries = [];
    /** @type {Map<string, number>} */
    this.heights = new Map();
    /** Where each entry begins; one more for the end. */
    this.offsets = [0];
    /** @type {Map<string, {element: HTMLElement, version: unknown}>} */
    this.shown = new Map();
    /** @type {WeakMap<Element, string>} */
    this.keys = new WeakMap();
    this.range = { from: 0, to: 0 };
    this.isAtEnd = ways.keepsEnd ?? false;
    this.isDue = false;
    // It tells of every new entry too, whose height is known by then.
    this.resized = new ResizeObserver((seen) => {
      const isNews = seen.some(({ target }) => target === list || this.isOther(target));
      if (isNews) this.render();
    });
    this.resized.observe(list);
    list.addEventListener("scroll", () => {
      const left = list.scrollHeight - list.scrollTop - list.clientHeight;
      if (ways.keepsEnd) this.isAtEnd = left < 40;
      this.soon();
    }, { passive: true });
  }

  /** @param {Entry[]} entries */
  set(entries) {
    this.entries = entries;
    this.place();
    this.render();
  }

  /** Scrolling tells often: it is answered once for each picture of the screen. */
  soon() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.render();
    });
  }

  place() {
    const { guess, key } = this.ways;
    const offsets = new Array(this.entries.length + 1);
    let offset = 0;
    this.entries.forEach((entry, index) => {
      offsets[index] = offset;
      offset += this.heights.get(key(entry)) ?? guess;
    });
    offsets[this.entries.length] = offset;
    this.offsets = offsets;
  }

  /**
   * The last entry that begins at or before a place.
   * @param {number} place
   */
  at(place) {
    let low = 0;
    let high = Math.max(0, this.entries.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.offsets[middle] <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  render() {
    const { list } = this;
    if (!list.isConnected) return;
    const top = this.isAtEnd ? Math.max(0, this.total - list.clientHeight) : Math.min(list.scrollTop, this.total);
    const anchor = this.at(top);
    const within = top - this.offsets[anchor];
    this.fill(this.at(top - margin), Math.min(this.entries.length, this.at(top + list.clientHeight + margin) + 1));
    if (this.measure()) {
      this.place();
      this.pad();
    }
    const wanted = this.isAtEnd ? list.scrollHeight - list.clientHeight : this.offsets[anchor] + within;
    if (Math.abs(wanted - list.scrollTop) >= 1) list.scrollTop = wanted;
    this.ways.drawn?.();
  }

  get total() {
    return this.offsets[this.entries.length];
  }

  /**
   * Draws the entries of a range, and leaves those that are drawn already.
   * @param {number} from
   * @param {number} to
   */
  fill(from, to) {
    const { list, ways } = this;
    this.range = { from, to };
    const wanted = new Set(this.entries.slice(from, to).map(ways.key));
    const focused = document.activeElement;
    for (const [key, { element }] of this.shown) {
      if (wanted.has(key)) continue;
      this.resized.unobserve(element);
      // Whoever was in it with the keyboard goes on from the list, not from the top of the page.
      if (element.contains(focused)) list.focus({ preventScroll: true });
      element.remove();
      this.shown.delete(key);
    }
    /** @type {Element | null} */
    let before = list.firstElementChild;
    for (let index = from; index < to; index += 1) {
      const entry = this.entries[index];
      const key = ways.key(entry);
      const version = ways.version(entry);
      const held = this.shown.get(key);
      if (held && held.version === version) {
        if (held.element === before) before = before.nextElementSibling;
        else list.insertBefore(held.element, before);
        this.number(held.element, index);
        continue;
      }
      const element = ways.draw(entry);
      this.number(element, index);
      if (held) {
        const hadFocus = held.element.contains(focused);
        if (held.element === before) before = before.nextElementSibling;
        this.resized.unobserve(held.element);
        held.element.remove();
        list.insertBefore(element, before);
        carry(held.element, element, hadFocus ? focused : null);
      } else {
        list.insertBefore(element, before);
      }
      this.shown.set(key, { element, version });
      this.keys.set(element, key);
      this.resized.observe(element);
    }
    this.pad();
  }

  /**
   * The place in the whole list, for those who hear it.
   * @param {HTMLElement} element
   * @param {number} index
   */
  number(element, index) {
    const size = String(this.entries.length);
    const place = String(index + 1);
    if (element.getAttribute("aria-setsize") !== size) element.setAttribute("aria-setsize", size);
    if (element.getAttribute("aria-posinset") !== place) element.setAttribute("aria-posinset", place);
  }

  pad() {
    this.list.style.setProperty("--before", `${this.offsets[this.range.from]}px`);
    this.list.style.setProperty("--after", `${this.total - this.offsets[this.range.to]}px`);
  }

  /** @param {Element} element */
  isOther(element) {
    const key = this.keys.get(element);
    if (key === undefined || !element.isConnected) return false;
    const height = element.getBoundingClientRect().height + this.ways.gap;
    return Math.abs((this.heights.get(key) ?? 0) - height) >= 0.5;
  }

  /** Whether a height is other than it was thought to be. */
  measure() {
    let isOther = false;
    for (const [key, { element }] of this.shown) {
      const height = element.getBoundingClientRect().height + this.ways.gap;
      if (Math.abs((this.heights.get(key) ?? this.ways.guess) - height) >= 0.5) isOther = true;
      this.heights.set(key, height);
    }
    return isOther;
  }

  /**
   * Brings an entry into sight and gives its element.
   * @param {string} key
   */
  reveal(key) {
    const index = this.entries.findIndex((entry) => this.ways.key(entry) === key);
    if (index < 0) return null;
    this.isAtEnd = false;
    // Heights on the way are guesses: the second time they are known.
    for (let round = 0; round < 3; round += 1) {
      this.list.scrollTop = Math.max(0, this.offsets[index] - this.list.clientHeight / 3);
      this.render();
    }
    return this.shown.get(key)?.element ?? null;
  }
}

/**
 * A menu that a person has opened stays open, and the keyboard where it was, when an entry is drawn anew. Whoever has chosen
 * from the menu goes on from the entry.
 * @param {HTMLElement} old
 * @param {HTMLElement} drawn
 * @param {Element | null} focused
 */
function carry(old, drawn, focused) {
  const menus = drawn.querySelectorAll("details");
  let isAtMenu = false;
  for (const [index, one] of [...old.querySelectorAll("details")].entries()) {
    const menu = menus[index];
    if (!menu) continue;
    const places = [...one.querySelectorAll("summary, a, button")];
    const place = focused === null ? -1 : places.indexOf(focused);
    if (one.open && !("chosen" in one.dataset)) {
      menu.open = true;
      // Now, not in a moment: whoever is at a choice goes on from there.
      menu.dispatchEvent(new Event("toggle"));
    }
    const same = /** @type {HTMLElement | undefined} */ ([...menu.querySelectorAll("summary, a, button")][place]);
    if (!same) continue;
    same.focus({ preventScroll: true });
    isAtMenu = true;
  }
  if (focused && !isAtMenu) focus(drawn);
}

/** @param {HTMLElement} element */
function focus(element) {
  const inside = element.matches("[tabindex], a, button") ? element : element.querySelector("a, button");
  /** @type {HTMLElement | null} */ (inside)?.focus({ preventScroll: true });
}
