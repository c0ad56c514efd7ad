// What a refused call says beside its code and text.

import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';

const OPTIONS = { longs: Number, defaults: true };
const types = loadSync(fileURLToPath(new URL('../google_rpc.proto', import.meta.url)), OPTIONS);

/** Returns { reason, metadata, field, description, retryAfterSeconds } of an error of grpc-js. */
export function details(error) {
  const [trailer] = error.metadata?.get('grpc-status-details-bin') ?? [];
  const found = {};
  if (trailer) {
    for (const { type_url: typeUrl, value } of decoded('google.rpc.Status', trailer).details) {
      Object.assign(found, READ[typeUrl.split('/').pop()]?.(value));
    }
  }
  return found;
}

const READ = {
  'google.rpc.ErrorInfo': (value) => {
    const { reason, metadata } = decoded('google.rpc.ErrorInfo', value);
    return { reason, metadata };
  },
  'google.rpc.BadRequest': (value) => decoded('google.rpc.BadRequest', value).fieldViolations[0],
  'google.rpc.RetryInfo': (value) => {
    const { seconds, nanos } = decoded('google.rpc.RetryInfo', value).retryDelay;
    return { retryAfterSeconds: seconds + nanos / 1e9 };
  },
};

const decoded = (name, value) => types[name].deserialize(value);
