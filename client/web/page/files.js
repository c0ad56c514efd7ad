// Files that are dropped or chosen, with the names that they get.

/** Returns [{ name, file }] of what was dropped, with what is in folders. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((each) => each.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  // Of one folder alone the names begin within it, as they do with `cipherlens index`.
  const isOne = entries.length === 1 && entries[0].isDirectory;
  for (const entry of entries) await collect(entry, '', isOne, found);
  return found;
}

/** Returns [{ name, file }] of a folder that was chosen, named by the paths within it. */
export const chosen = (input) =>
  [...input.files].map((file) => ({
    name: file.webkitRelativePath.split('/').slice(1).join('/') || file.name,
    file,
  }));

/** Returns those that are pictures by their names, and not hidden. */
export function pictures(files, suffixes) {
  const known = new Set(suffixes);
  const suffix = (name) => name.slice(name.lastIndexOf('.')).toLowerCase();
  const isHidden = (name) => name.split('/').some((part) => part.startsWith('.'));
  return files.filter(({ name }) => known.has(suffix(name)) && !isHidden(name));
}

async function collect(entry, above, isRoot, found) {
  const name = isRoot ? '' : above + entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ name, file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await collect(each, name && `${name}/`, false, found);
  }
}
