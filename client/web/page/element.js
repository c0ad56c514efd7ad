// Elements of the document; text goes in as text alone.

export const byId = (id) => document.getElementById(id);

/** Returns a new element with properties and children. */
export function element(kind, properties = {}, children = []) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}
