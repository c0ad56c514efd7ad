// Makes a collection of vectors, indexes, searches, and reads why a call is refused:
//
//   node search.js 127.0.0.1:50051

import { credentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { details } from './failure.js';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const { cipherlens } = loadPackageDefinition(
  loadSync('cipherlens/v1/retrieval_service.proto', { includeDirs: [PROTO], longs: Number }),
);

/** Returns the calls of a server, as functions that return promises. */
export function connect(target, secured = credentials.createInsecure()) {
  const client = new cipherlens.v1.RetrievalService(target, secured);
  const call = (name) => promisify(client[name]).bind(client);
  return { call, close: () => client.close() };
}

/** Returns rows of numbers as they are sent: little-endian float32, one row after the other. */
function vectors(rows) {
  const data = new Float32Array(rows.flat()); // of the machine's byte order, little-endian on all that Node runs on
  return { dimension: rows[0].length, data: Buffer.from(data.buffer) };
}

async function main(target) {
  const { call, close } = connect(target);
  try {
    const name = 'from-javascript';
    await call('CreateCollection')({ name, kind: 'COLLECTION_KIND_VECTOR', dimension: 3 });
    const items = ['red', 'green', 'blue'].map((itemId) => ({ itemId, revision: Date.now() * 1000 }));
    const rows = vectors([[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
    const { sequence } = await call('Index')({ collection: name, items, vectors: rows });
    const query = { collection: name, vectors: vectors([[0.2, 0.9, 0.1]]), k: 2, minSequence: sequence };
    const { results } = await call('Search')(query);
    console.log('hits:', results[0].itemIds.join(', '));
    await call('Search')({ ...query, k: 0 }).catch(tell);
    await call('CreateCollection')({ name, kind: 'COLLECTION_KIND_VECTOR', dimension: 3 }).catch(tell);
    await call('DeleteCollection')({ name });
  } finally {
    close();
  }
}

function tell(error) {
  const { reason, field, metadata } = details(error);
  console.log(`refused: ${status[error.code]}, ${reason}, ${field ?? ''} ${JSON.stringify(metadata)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2] ?? '127.0.0.1:50051');
