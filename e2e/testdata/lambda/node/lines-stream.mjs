// Streams its answer line by line.
import { setTimeout as wait } from 'node:timers/promises';

export async function* handler(event) {
  for (let n = 0; n < (event.count ?? 3); n++) {
    await wait(1);
    yield JSON.stringify({ n }) + '\n';
  }
}
