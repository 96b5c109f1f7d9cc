// Test traffic: the same call again and again, evenly spaced, as far as the browser's few connections go.
import { requestOf, type TestInput } from './run';

export interface Traffic {
  sent: number;
  ok: number;
  failed: number;
  /** Of all that will be sent, between 0 and 1. */
  done: number;
}

interface TrafficOptions {
  /** Calls per second. */
  rate: number;
  seconds: number;
  signal: AbortSignal;
  onProgress: (now: Traffic) => void;
}

/** A browser has six connections to a host: some must stay free for the page. */
const atOnce = 3;

/** Returns when all calls are answered, or at once when aborted. A call that can't go yet is left out, not kept for later. */
export function sendTraffic(name: string, input: TestInput, options: TrafficOptions): Promise<Traffic> {
  const { rate, seconds, signal, onProgress } = options;
  const planned = Math.max(1, Math.round(rate * seconds));
  const { url, init } = requestOf(name, input);
  const now: Traffic = { sent: 0, ok: 0, failed: 0, done: 0 };
  return new Promise((finish) => {
    let ticks = 0;
    let flying = 0;
    const end = () => {
      clearInterval(timer);
      finish({ ...now });
    };
    const timer = setInterval(() => {
      if (ticks >= planned) {
        if (flying === 0) end();
        return;
      }
      ticks++;
      now.done = ticks / planned;
      if (flying < atOnce) {
        flying++;
        now.sent++;
        fetch(url, { ...init, signal })
          .then(async (reply) => {
            await reply.arrayBuffer();
            if (reply.ok) now.ok++;
            else now.failed++;
          })
          .catch(() => {
            if (!signal.aborted) now.failed++;
          })
          .finally(() => {
            flying--;
          });
      }
      onProgress({ ...now });
    }, 1000 / rate);
    signal.addEventListener('abort', end, { once: true });
  });
}
