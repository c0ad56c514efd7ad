// One picture of a list.

import { address, whyNot } from './api.js';
import { element } from './element.js';

const SIDE = 400;
const PATIENCE_MS = 60; // who scrolls past asks for no picture

/** Returns { element, button, fill, remove, reachable } of the place at an index. */
export function tile(index, total, view, actions) {
  const pictures = element('button', { type: 'button', className: 'pictures' });
  const name = element('span', { className: 'name' });
  const score = element('span', { className: 'score' });
  const similar = element('button', { type: 'button', className: 'small', textContent: 'Similar', disabled: true });
  const download = element('a', { className: 'small button', textContent: 'Download', download: '' });
  const caption = element('div', { className: 'caption' }, [name, score, similar, download]);
  const item = element('li', { className: 'tile' }, [pictures, caption]);
  item.setAttribute('aria-setsize', total);
  item.setAttribute('aria-posinset', index + 1);
  pictures.setAttribute('aria-label', 'loading');
  pictures.addEventListener('click', () => actions.open(index));
  let timer = 0;
  let isGone = false;

  function fill(entry) {
    if (isGone) return;
    name.textContent = entry.name;
    name.title = entry.name;
    score.textContent = entry.score ?? '';
    pictures.setAttribute('aria-label', labelOf(entry));
    similar.disabled = false;
    similar.setAttribute('aria-label', `Find pictures similar to ${entry.name}`);
    similar.addEventListener('click', () => actions.similar(entry));
    download.href = address('original', { id: entry.id });
    download.setAttribute('aria-label', `Download the original of ${entry.name}`);
    if (entry.problem) pictures.append(note(entry.problem));
    timer = setTimeout(() => pictures.prepend(...imagesOf(entry, view)), PATIENCE_MS);
  }

  function remove() {
    isGone = true;
    clearTimeout(timer);
    for (const image of pictures.querySelectorAll('img')) image.removeAttribute('src');
    item.remove();
  }

  return {
    element: item,
    button: pictures,
    fill,
    remove,
    set reachable(is) {
      for (const each of [pictures, similar, download]) each.tabIndex = is ? 0 : -1;
    },
  };
}

/** Returns what is read out for an entry. */
export function labelOf({ name, rank, score, tags }) {
  const parts = [name];
  if (rank) parts.push(`hit ${rank}`, score);
  if (tags?.length) parts.push(`tags: ${tags.join(', ')}`);
  return parts.join(', ');
}

/** Returns an image that says why it cannot be shown, if it cannot. */
export function picture(source, alt) {
  const image = element('img', { src: source, alt, decoding: 'async', draggable: false });
  image.addEventListener('error', async () => {
    if (image.hasAttribute('src')) image.replaceWith(note(await whyNot(source)));
  });
  return image;
}

const imagesOf = (entry, view) =>
  [
    view !== 'server' && picture(address('picture', { id: entry.id, side: SIDE }), ''),
    view !== 'you' && picture(address('seen', { id: entry.id }), ''),
  ].filter(Boolean);

const note = (text) => element('span', { className: 'note', textContent: text });
