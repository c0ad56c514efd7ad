// Pictures on their way into the collection, a few at a time.

import { Failure, send } from './api.js';
import { byId, element } from './element.js';

const AT_A_TIME = 4;
const TRIES = 3;
const SHOWN = 200;

export class Upload {
  #counts = { indexed: 0, unchanged: 0, skipped: 0, failed: 0 };
  #stop = new AbortController();
  #queue;
  #total;

  /** Takes [{ name, file }] and the tags of all; empty leaves the tags that pictures have. */
  constructor(files, tags) {
    this.#queue = files.toReversed();
    this.#total = files.length;
    this.tags = tags;
  }

  /** Uploads, shows how far it has come, and returns when all is done or stopped. */
  async run() {
    byId('upload').hidden = false;
    byId('upload-close').hidden = true;
    byId('upload-stop').hidden = false;
    byId('upload-skipped').replaceChildren();
    byId('upload-title').textContent = `Uploading ${this.#total.toLocaleString()} pictures`;
    byId('upload-stop').onclick = () => this.#stop.abort();
    byId('upload-close').onclick = () => (byId('upload').hidden = true);
    this.#draw();
    await Promise.all(Array.from({ length: AT_A_TIME }, () => this.#work()));
    byId('upload-title').textContent = this.#stop.signal.aborted ? 'Upload stopped' : 'Upload done';
    byId('upload-stop').hidden = true;
    byId('upload-close').hidden = false;
    return this.summary;
  }

  /** Returns the counts in words. */
  get summary() {
    const told = Object.entries(this.#counts).filter(([what, count]) => count || what === 'indexed');
    return told.map(([what, count]) => `${count.toLocaleString()} ${what}`).join(', ');
  }

  async #work() {
    while (this.#queue.length && !this.#stop.signal.aborted) {
      const { name, file } = this.#queue.pop();
      const { state, reason } = await this.#sent(name, file);
      if (state === 'stopped') return;
      this.#counts[state] += 1;
      if (reason) this.#tell(name, reason);
      this.#draw();
    }
  }

  async #sent(name, file) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await send('upload', { name, tag: this.tags }, file, this.#stop.signal);
      } catch (error) {
        if (this.#stop.signal.aborted) return { state: 'stopped' };
        if (!(error instanceof Failure)) return { state: 'failed', reason: 'the file cannot be read' };
        if (attempt === TRIES && error.mayPass) this.#stop.abort(); // it would go so with all others
        if (attempt === TRIES || !error.mayPass) return { state: 'failed', reason: error.message };
        await new Promise((resolve) => setTimeout(resolve, 1000 * attempt));
      }
    }
  }

  #tell(name, reason) {
    const list = byId('upload-skipped');
    if (list.children.length < SHOWN) list.append(element('li', { textContent: `${name}: ${reason}` }));
  }

  #draw() {
    const done = Object.values(this.#counts).reduce((sum, count) => sum + count);
    Object.assign(byId('upload-progress'), { max: this.#total || 1, value: done });
    byId('upload-counts').textContent = `${done.toLocaleString()} of ${this.#total.toLocaleString()}: ${this.summary}`;
  }
}
