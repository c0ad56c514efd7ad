// Calls of the page's own server, which is on this machine.

/** What a call failed with, in words for people; with the status, if there was an answer. */
export class Failure extends Error {
  constructor(text, status = 0) {
    super(text);
    this.status = status;
  }

  /** Returns whether the same call may go well a little later. */
  get mayPass() {
    return this.status === 0 || this.status >= 500;
  }
}

/** Returns the address of a path below the page's, with parameters; a list stands for several. */
export function address(path, parameters = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) asked.append(name, each);
  }
  return `${path}?${asked}`;
}

/** Returns the answer of a path, read as JSON. */
export async function ask(path, parameters, options = {}) {
  let answer;
  try {
    answer = await fetch(address(path, parameters), { cache: 'no-store', ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Failure('cipherlens gallery does not answer: was it ended?');
  }
  if (!answer.ok) throw new Failure(await reasonOf(answer), answer.status);
  return answer.status === 204 ? null : answer.json();
}

/** Sends a body to a path and returns the answer. */
export const send = (path, parameters, body = '', signal = undefined) =>
  ask(path, parameters, { method: 'POST', body, signal });

/** Returns why a picture cannot be shown. */
export async function whyNot(path) {
  const answer = await fetch(path, { cache: 'no-store' }).catch(() => null);
  return answer && !answer.ok ? reasonOf(answer) : 'cannot be shown';
}

/** Takes the token out of the address, where it stands behind #, and gets a session for it. */
export async function openSession() {
  const token = location.hash.slice(1);
  if (token.length < 32) return;
  history.replaceState(null, '', location.pathname);
  await send('session', {}, token);
}

const reasonOf = (answer) =>
  answer
    .json()
    .then(({ error }) => error)
    .catch(() => `the answer was ${answer.status}`);
