// Pictures on their way into the collection, some in a request.

import { send } from './api.js';
import { byId, element } from './element.js';

const REQUESTS = 2; // one is encrypted while one is embedded
const MOST_FILES = 32;
const MOST_BYTES = 8e6; // of a request, where no file alone has more
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
    await Promise.all(Array.from({ length: REQUESTS }, () => this.#work()));
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
      const files = this.#next();
      const outcomes = await this.#sent(files);
      if (!outcomes) return;
      files.forEach(({ name }, index) => this.#count(name, outcomes[index]));
      this.#draw();
    }
  }

  /** Takes the next files from the queue, one at least. */
  #next() {
    const files = [];
    let bytes = 0;
    while (this.#queue.length && files.length < MOST_FILES) {
      bytes += this.#queue.at(-1).file.size;
      if (files.length && bytes > MOST_BYTES) break;
      files.push(this.#queue.pop());
    }
    return files;
  }

  /** Returns what became of each file; null where the upload was stopped meanwhile. */
  async #sent(files) {
    try {
      const read = await Promise.all(files.map(({ file }) => file.arrayBuffer().catch(() => null)));
      const there = files.filter((_, index) => read[index]);
      const list = there.map(({ name, file }) => ({ name, size: file.size }));
      const body = new Blob([`${JSON.stringify(list)}\n`, ...read.filter(Boolean)]);
      const found = await send('upload', { tag: this.tags }, body, this.#stop.signal);
      return read.map((each) => (each ? found.shift() : { state: 'failed', reason: 'the file cannot be read' }));
    } catch (error) {
      if (this.#stop.signal.aborted) return null;
      if (error.mayPass) this.#stop.abort(); // it would go so with all others
      return files.map(() => ({ state: 'failed', reason: error.message }));
    }
  }

  #count(name, { state, reason }) {
    this.#counts[state] += 1;
    if (reason) this.#tell(name, reason);
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
