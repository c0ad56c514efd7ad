// The tags of the collection as buttons: once for pictures with it, twice for those without, and again for all.
// The most frequent ones are there; the others are found by a part of them.

import { byId, element } from './element.js';

const SHOWN = 40;
const NEXT = { '': 'with', with: 'without', without: '' };

export class TagFilter {
  #changed;
  #tags = [];
  #states = new Map();

  /** Takes what is called when the choice changes. */
  constructor(changed) {
    this.#changed = changed;
    byId('tag-name').addEventListener('input', () => this.#draw());
  }

  /** Shows tags, [{ tag, count }], the most frequent first; what is chosen stays. */
  show(tags) {
    this.#tags = tags;
    byId('tags').hidden = tags.length === 0;
    byId('find-tag').hidden = tags.length <= SHOWN;
    this.#draw();
  }

  /** Returns the choice as the server is asked for it. */
  get asked() {
    const of = (wanted) => [...this.#states].filter(([, is]) => is === wanted).map(([tag]) => tag);
    return { tag: of('with'), without: of('without') };
  }

  /** Draws what is chosen, and of the tags with the text that was typed the most frequent. */
  #draw() {
    const wanted = byId('tag-name').value.toLowerCase();
    const chosen = this.#tags.filter(({ tag }) => this.#states.has(tag));
    const others = this.#tags.filter(({ tag }) => !this.#states.has(tag) && tag.toLowerCase().includes(wanted));
    const shown = [...chosen, ...others.slice(0, SHOWN)];
    byId('tag-buttons').replaceChildren(...shown.map((each) => this.#button(each)));
    const left = others.length - SHOWN;
    byId('tag-more').textContent = left > 0 ? `and ${left.toLocaleString()} more` : '';
  }

  #button({ tag, count }) {
    const button = element('button', { type: 'button', className: 'tag' });
    const draw = () => {
      const state = this.#states.get(tag) ?? '';
      button.dataset.state = state;
      button.setAttribute('aria-pressed', state !== '');
      const word = { '': '', with: 'with ', without: 'without ' }[state];
      button.replaceChildren(`${word}${tag} `, element('small', { textContent: count.toLocaleString() }));
    };
    button.addEventListener('click', () => {
      const next = NEXT[this.#states.get(tag) ?? ''];
      if (next) this.#states.set(tag, next);
      else this.#states.delete(tag);
      draw();
      this.#changed();
    });
    draw();
    return button;
  }
}
