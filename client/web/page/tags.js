// The tags of the collection as buttons: once for pictures with it, twice for those without, and again for all.

import { element } from './element.js';

const SHOWN = 40;
const NEXT = { '': 'with', with: 'without', without: '' };

export class TagFilter {
  #group;
  #changed;
  #states = new Map();

  /** Takes the element that they go into, and what is called when the choice changes. */
  constructor(group, changed) {
    this.#group = group;
    this.#changed = changed;
  }

  /** Shows tags, [{ tag, count }], the most frequent first; what is chosen stays. */
  show(tags) {
    const chosen = (each) => this.#states.has(each.tag);
    const shown = [...tags.filter(chosen), ...tags.filter((each) => !chosen(each)).slice(0, SHOWN)];
    this.#group.replaceChildren(...shown.map((each) => this.#button(each)));
    this.#group.hidden = tags.length === 0;
  }

  /** Returns the choice as the server is asked for it. */
  get asked() {
    const of = (wanted) => [...this.#states].filter(([, is]) => is === wanted).map(([tag]) => tag);
    return { tag: of('with'), without: of('without') };
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
