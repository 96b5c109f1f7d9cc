// Streams server-sent events, as an EventSource in a browser reads them. When
// the reader goes away, the function is told by the signal and ends.
import { setTimeout as sleep } from 'node:timers/promises';

export async function* handler(event, { signal }) {
  const { words = 'the lamp turns', pause = '200' } = event.queryStringParameters ?? {};
  yield { statusCode: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } };
  for (const [id, word] of words.split(' ').entries()) {
    yield `id: ${id}\ndata: ${JSON.stringify({ word })}\n\n`;
    await sleep(Math.min(Number(pause), 5000), undefined, { signal });
  }
  yield 'event: end\ndata: {}\n\n';
}
