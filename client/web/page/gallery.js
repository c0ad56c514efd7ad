// The page: a collection, searches of it, uploads into it.

import { Failure, address, ask, openSession, send } from './api.js';
import { watchDrops } from './drop.js';
import { byId } from './element.js';
import { chosen, dropped, pictures } from './files.js';
import { PictureList } from './list.js';
import { CollectionSource, HitSource } from './sources.js';
import { TagFilter } from './tags.js';
import { Upload } from './upload.js';
import { Viewer } from './viewer.js';

const HITS = 60;
const TYPING_MS = 200;

const list = new PictureList(byId('list'), { open: (index) => viewer.show(index), similar, failed });
const viewer = new Viewer(list, { similar, failed });
const tags = new TagFilter(() => refilter());
const searches = []; // what was found, for the browser's back and forward
let collection = null;
let asked = 0; // counts what is shown, so that a late answer is dropped

async function start() {
  await openSession();
  await describe();
  if (collection.takes_pictures) {
    byId('search').addEventListener('click', () => byId('picture-file').click());
    addEventListener('paste', (event) => searchOne(event.clipboardData.files));
  }
  byId('search').hidden = !collection.takes_pictures;
  byId('add').hidden = !collection.takes_uploads;
  byId('add').addEventListener('click', () => byId('folder-files').click());
  byId('picture-file').addEventListener('change', taken((input) => searchOne(input.files)));
  byId('folder-files').addEventListener('change', taken((input) => add(chosen(input))));
  byId('name').addEventListener('input', refilterSoon());
  byId('back').addEventListener('click', () => go({}));
  for (const radio of document.querySelectorAll('[name=view]')) {
    radio.addEventListener('change', () => (list.view = radio.value));
  }
  byId('adding-cancel').addEventListener('click', () => byId('adding').close());
  watchDrops({
    search: collection.takes_pictures && (({ files }) => searchOne(files)),
    add: collection.takes_uploads && (async (transfer) => add(await dropped(transfer))),
  });
  addEventListener('popstate', () => draw().catch(failed));
  addEventListener('hashchange', () => openSession().catch(failed)); // the address, opened once more
  await draw();
}

/** Reads what there is, and shows it. */
async function describe() {
  collection = await ask('collection');
  document.title = `${collection.name} – CipherLens`;
  byId('title').textContent = collection.name;
  const signed = collection.manifest === null ? 'no manifest known here' : `held to manifest ${collection.manifest}`;
  byId('summary').textContent = `${pictureCount(collection.count)} · ${signed}`;
  tags.show(collection.tags);
}

/** Shows what the browser's history says: a search that was made, or the collection. */
async function draw() {
  const number = history.state?.search;
  const search = searches[number];
  if (search) showHits(search);
  else await showCollection();
}

async function showCollection() {
  const mine = (asked += 1);
  const source = await new CollectionSource({ name: byId('name').value, ...tags.asked }).open();
  if (mine !== asked) return;
  byId('query').hidden = true;
  tellProblems([]);
  list.show(source);
  const isFiltered = source.total < collection.count;
  tellEmpty(source.total ? '' : isFiltered ? 'No picture fits the filter.' : 'There are no pictures yet: add a folder.');
  tell(`${pictureCount(source.total)}${isFiltered ? ' fit the filter' : ''}`);
}

function showHits({ title, note, picture, seen, hits, problems }) {
  asked += 1;
  byId('query').hidden = false;
  byId('query-title').textContent = title;
  byId('query-note').textContent = note;
  Object.assign(byId('query-picture'), { src: picture, alt: `The query: ${title}` });
  Object.assign(byId('query-seen'), { src: seen, alt: 'The query as the server sees it' });
  tellProblems(problems);
  list.show(new HitSource(hits));
  tellEmpty(hits.length ? '' : 'Nothing was found.');
  scrollTo({ top: 0, behavior: 'instant' });
  tell(`${hits.length} hits for ${title}`);
}

/** Searches with one picture file of those that were given. */
async function searchOne(files) {
  const file = [...files].find((each) => each.type.startsWith('image/'));
  if (!file) {
    if (files.length) failed(new Failure('This is no picture.'));
    return;
  }
  await search(file.name, URL.createObjectURL(file), {}, file);
}

/** Searches by an item of the collection. */
async function similar({ id, name }) {
  await search(name, address('picture', { id, side: 400 }), { id });
}

async function search(title, picture, by, body = '') {
  const mine = (asked += 1);
  document.body.setAttribute('aria-busy', 'true');
  tell(`Searching with ${title}`);
  try {
    const filter = tags.asked;
    const found = await send('search', { k: HITS, ...by, ...filter }, body);
    if (mine !== asked) return;
    const seen = address('seen', found.query ? { query: found.query } : by);
    searches.push({ title, picture, seen, note: noteOf(found.hits, filter), ...found });
    await go({ search: searches.length - 1 });
    list.focus(0);
  } catch (error) {
    failed(error);
  } finally {
    document.body.removeAttribute('aria-busy');
  }
}

function noteOf(hits, { tag, without }) {
  const among = [...tag.map((each) => `with ${each}`), ...without.map((each) => `without ${each}`)];
  const where = among.length ? `, among pictures ${among.join(', ')}` : '';
  return `${hits.length} most similar, best first${where}. The server was given what it sees, and not the picture.`;
}

/** Asks for tags and uploads files. */
async function add(files) {
  const wanted = pictures(files, collection.suffixes);
  if (!wanted.length) {
    failed(new Failure('There is no picture in it.'));
    return;
  }
  byId('adding-title').textContent = `Add ${pictureCount(wanted.length)}?`;
  byId('adding').returnValue = '';
  byId('adding').showModal();
  await new Promise((resolve) => byId('adding').addEventListener('close', resolve, { once: true }));
  if (byId('adding').returnValue !== 'add') return;
  const given = byId('adding-tags').value.split(',').map((each) => each.trim());
  const told = await new Upload(wanted, given.filter(Boolean)).run();
  tell(`Upload ended: ${told}`);
  try {
    await describe();
    if (!searches[history.state?.search]) await showCollection();
  } catch (error) {
    failed(error);
  }
}

/** Goes to a state of the page, which the browser's back undoes. */
async function go(state) {
  history.pushState(state, '', location.pathname);
  await draw().catch(failed);
}

async function refilter() {
  if (history.state?.search !== undefined) await go({});
  else await showCollection().catch(failed);
}

function refilterSoon() {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(refilter, TYPING_MS);
  };
}

/** Returns a listener of an <input type=file> that lets the same file be chosen again. */
const taken = (use) => (event) => {
  const input = event.target;
  Promise.resolve(use(input)).finally(() => (input.value = ''));
};

const pictureCount = (count) => `${count.toLocaleString()} picture${count === 1 ? '' : 's'}`;

function tell(text) {
  byId('status').textContent = text;
}

function tellEmpty(text) {
  byId('empty').textContent = text;
  byId('empty').hidden = !text;
}

function tellProblems(problems) {
  byId('problems').textContent = problems.join('; ');
  byId('problems').hidden = !problems.length;
}

function failed(error) {
  if (!(error instanceof Failure)) console.error(error);
  tellProblems([error.message]);
}

start().catch(failed);
