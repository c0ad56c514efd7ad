// One picture, large, beside what the server has of it.

import { address, whyNot } from './api.js';
import { byId } from './element.js';

const SIDE = 1600;

export class Viewer {
  #dialog = byId('viewer');
  #list;
  #index = 0;
  #entry = null;

  /** Takes the list to go through, and what becomes of an entry: { similar, failed }. */
  constructor(list, { similar, failed }) {
    this.#list = list;
    this.failed = failed;
    byId('viewer-close').addEventListener('click', () => this.#dialog.close());
    byId('viewer-previous').addEventListener('click', () => this.show(this.#index - 1));
    byId('viewer-next').addEventListener('click', () => this.show(this.#index + 1));
    byId('viewer-similar').addEventListener('click', () => {
      const entry = this.#entry;
      this.#dialog.close();
      similar(entry);
    });
    this.#dialog.addEventListener('keydown', (event) => this.#key(event));
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close(); // beside it
    });
    this.#dialog.addEventListener('close', () => this.#closed());
  }

  /** Shows the entry at a place of the list. */
  async show(index) {
    if (index < 0 || index >= this.#list.total) return;
    this.#index = index;
    try {
      this.#entry = await this.#list.at(index);
    } catch (error) {
      this.failed(error);
      return;
    }
    if (this.#index === index) this.#fill(this.#entry);
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  #fill(entry) {
    byId('viewer-name').textContent = entry.name;
    byId('viewer-about').textContent = aboutOf(entry, this.#index, this.#list.total);
    byId('viewer-problem').hidden = true;
    this.#picture('viewer-picture', address('picture', { id: entry.id, side: SIDE }), entry.name);
    this.#picture('viewer-seen', address('seen', { id: entry.id }), `${entry.name} as the server has it`);
    byId('viewer-download').href = address('original', { id: entry.id });
    byId('viewer-previous').disabled = this.#index === 0;
    byId('viewer-next').disabled = this.#index === this.#list.total - 1;
  }

  #picture(id, source, alt) {
    const image = byId(id);
    image.removeAttribute('src'); // not the one before while this one comes
    Object.assign(image, { alt, src: source });
    image.onerror = async () => {
      const reason = await whyNot(source);
      if (!image.src.endsWith(source)) return; // another one by now
      byId('viewer-problem').textContent = reason;
      byId('viewer-problem').hidden = false;
    };
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) this.show(this.#index + step);
  }

  #closed() {
    for (const id of ['viewer-picture', 'viewer-seen']) byId(id).removeAttribute('src');
    this.#list.focus(this.#index);
  }
}

function aboutOf({ score, tags, bytes, problem }, index, total) {
  const parts = [`${(index + 1).toLocaleString()} of ${total.toLocaleString()}`];
  if (score) parts.push(score);
  if (bytes) parts.push(`${sizeOf(bytes)} sealed`);
  if (tags?.length) parts.push(`tags: ${tags.join(', ')}`);
  if (problem) parts.push(problem);
  return parts.join(' · ');
}

function sizeOf(bytes) {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
