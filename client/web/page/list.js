// A list of pictures of which only those near the window are in the document, however many there are.
//
// One tile can be reached with the tabulator key; arrows, Home, End and the page keys go on from there.

import { tile } from './tile.js';

const GAP = 14;
const CAPTION = 62;
const WIDTHS = { you: 180, server: 180, both: 330 };
const ASPECTS = { you: 0.75, server: 0.75, both: 0.4 };
const BEYOND = 400; // pixels above and below the window that are kept ready

export class PictureList {
  #list;
  #actions;
  #source = { total: 0 };
  #tiles = new Map();
  #current = 0;
  #view = 'you';
  #columns = 1;
  #width = 0;
  #height = 0;
  #drawn = 0;

  /** Takes a <ul> and what becomes of a tile: { open, similar, failed }. */
  constructor(list, actions) {
    this.#list = list;
    this.#actions = actions;
    new ResizeObserver(() => this.#measure()).observe(list);
    addEventListener('scroll', () => this.#later(), { passive: true });
    list.addEventListener('keydown', (event) => this.#key(event));
    list.addEventListener('focusin', (event) => this.#focused(event));
  }

  get total() {
    return this.#source.total;
  }

  /** Returns the entry at a place, or a promise of it. */
  at(index) {
    return this.#source.at(index);
  }

  /** Shows other pictures, from a place in them on. */
  show(source, current = 0) {
    this.#source = source;
    this.#current = Math.min(current, Math.max(0, source.total - 1));
    this.#clear();
    this.#measure();
  }

  /** Shows "you", "server" or "both" of each. */
  set view(view) {
    this.#view = view;
    this.#list.dataset.view = view;
    this.#clear();
    this.#measure();
  }

  /** Brings a tile into the window and gives it the focus. */
  focus(index) {
    this.#current = Math.max(0, Math.min(index, this.total - 1));
    if (this.total === 0) return;
    this.#reveal(this.#current);
    this.#draw();
    this.#tiles.get(this.#current)?.button.focus({ preventScroll: true });
  }

  #clear() {
    for (const each of this.#tiles.values()) each.remove();
    this.#tiles.clear();
  }

  #measure() {
    const room = this.#list.clientWidth;
    this.#columns = Math.max(1, Math.floor((room + GAP) / (WIDTHS[this.#view] + GAP)));
    this.#width = (room - GAP * (this.#columns - 1)) / this.#columns;
    this.#height = Math.round(this.#width * ASPECTS[this.#view]) + CAPTION;
    const rows = Math.ceil(this.total / this.#columns);
    this.#list.style.height = `${Math.max(0, rows * (this.#height + GAP) - GAP)}px`;
    for (const [index, each] of this.#tiles) this.#place(index, each);
    this.#draw();
  }

  #later() {
    this.#drawn ||= requestAnimationFrame(() => {
      this.#drawn = 0;
      this.#draw();
    });
  }

  /** Makes the tiles that are near the window, and removes all others but the one with the focus. */
  #draw() {
    const [first, end] = this.#near();
    for (const [index, each] of this.#tiles) {
      const isOut = index < first || index >= end;
      if (isOut && !each.element.contains(document.activeElement)) {
        each.remove();
        this.#tiles.delete(index);
      }
    }
    // Backwards, for each stands before the one that follows it, as a reader goes through them.
    let following = this.#after(end);
    for (let index = end - 1; index >= first; index -= 1) {
      following = (this.#tiles.get(index) ?? this.#made(index, following)).element;
    }
    this.#mark();
  }

  /** Returns the element of the first tile from an index on that is there, or null. */
  #after(index) {
    const later = [...this.#tiles.keys()].filter((each) => each >= index);
    return later.length ? this.#tiles.get(Math.min(...later)).element : null;
  }

  #near() {
    const top = -this.#list.getBoundingClientRect().top;
    const step = this.#height + GAP;
    const row = (pixels) => Math.max(0, Math.floor(pixels / step));
    const first = row(top - BEYOND) * this.#columns;
    const end = (row(top + innerHeight + BEYOND) + 1) * this.#columns;
    return [Math.min(first, this.total), Math.min(end, this.total)];
  }

  #made(index, following) {
    const made = tile(index, this.total, this.#view, this.#actions);
    this.#tiles.set(index, made);
    this.#place(index, made);
    this.#list.insertBefore(made.element, following);
    const entry = this.#source.at(index);
    if (entry instanceof Promise) entry.then(made.fill, this.#actions.failed);
    else made.fill(entry);
    return made;
  }

  #place(index, { element }) {
    const x = (index % this.#columns) * (this.#width + GAP);
    const y = Math.floor(index / this.#columns) * (this.#height + GAP);
    Object.assign(element.style, {
      transform: `translate(${x}px, ${y}px)`,
      width: `${this.#width}px`,
      height: `${this.#height}px`,
    });
  }

  /** Lets the tabulator key reach the current tile alone; one that is scrolled away hands on. */
  #mark() {
    if (!this.#tiles.has(this.#current) && this.#tiles.size) {
      this.#current = Math.min(...this.#tiles.keys());
    }
    for (const [index, each] of this.#tiles) each.reachable = index === this.#current;
  }

  #reveal(index) {
    const box = this.#list.getBoundingClientRect();
    const top = box.top + Math.floor(index / this.#columns) * (this.#height + GAP);
    const above = document.querySelector('header').getBoundingClientRect().height + GAP;
    if (top < above) scrollBy({ top: top - above, behavior: 'instant' });
    const over = top + this.#height + GAP - innerHeight;
    if (over > 0) scrollBy({ top: over, behavior: 'instant' });
  }

  #focused(event) {
    for (const [index, each] of this.#tiles) {
      if (each.element.contains(event.target)) this.#current = index;
    }
    this.#mark();
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((innerHeight / (this.#height + GAP)) * 0.8)) * this.#columns;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.#columns,
      ArrowDown: this.#columns,
      PageUp: -page,
      PageDown: page,
      Home: -this.#current,
      End: this.total - 1 - this.#current,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const wanted = this.#current + steps[event.key];
    const isStep = event.key.startsWith('Arrow');
    if (isStep && (wanted < 0 || wanted >= this.total)) return;
    this.focus(wanted);
  }
}
