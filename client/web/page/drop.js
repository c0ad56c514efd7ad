// What is dropped anywhere on the page: on one half to search with, on the other to add.

import { byId } from './element.js';

/** Calls search or add with what is dropped; add is left out where pictures cannot be added. */
export function watchDrops({ search, add }) {
  const zone = byId('drop');
  const halves = { search, add };
  for (const half of zone.querySelectorAll('[data-drop]')) half.hidden = !halves[half.dataset.drop];
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  addEventListener('dragenter', (event) => {
    if (hasFiles(event)) zone.hidden = false;
  });
  zone.addEventListener('dragover', (event) => {
    event.preventDefault();
    mark(zone, event.target);
  });
  zone.addEventListener('dragleave', (event) => {
    if (!zone.contains(event.relatedTarget)) zone.hidden = true;
  });
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault(); // else the browser would open the file in place of the page
    zone.hidden = true;
    const half = event.target.closest?.('[data-drop]')?.dataset.drop;
    halves[half]?.(event.dataTransfer);
  });
}

function mark(zone, target) {
  for (const half of zone.querySelectorAll('[data-drop]')) {
    half.classList.toggle('over', half.contains(target));
  }
}
