// Where the pictures of a list come from: the collection, a page at a time, or the hits of a search.

import { ask } from './api.js';

const PAGE = 200;

/** The entries of the collection that fit a filter, { name, tag: [...], without: [...] }. */
export class CollectionSource {
  #filter;
  #pages = new Map();

  constructor(filter) {
    this.#filter = filter;
  }

  /** Asks for the first page; how many entries there are is known then. */
  async open() {
    const { total } = await this.#page(0);
    this.total = total;
    return this;
  }

  /** Returns the entry at a place, or a promise of it. */
  at(index) {
    const page = this.#page(Math.floor(index / PAGE));
    const place = index % PAGE;
    return page.items ? page.items[place] : page.then(({ items }) => items[place]);
  }

  /** Returns a page, or a promise of it; it is asked for once. */
  #page(number) {
    if (!this.#pages.has(number)) {
      const asked = ask('items', { offset: number * PAGE, limit: PAGE, ...this.#filter });
      this.#pages.set(number, asked);
      asked.then(
        (page) => this.#pages.set(number, page),
        () => this.#pages.delete(number),
      );
    }
    return this.#pages.get(number);
  }
}

/** The hits of a search. */
export class HitSource {
  #hits;

  constructor(hits) {
    this.#hits = hits;
    this.total = hits.length;
  }

  at(index) {
    return { ...this.#hits[index], rank: index + 1 };
  }
}
