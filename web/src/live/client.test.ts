import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { concerns, type EventSourceLike, LiveClient } from './client';

class Source implements EventSourceLike {
  readyState = 0;
  onerror: ((event: Event) => void) | null = null;
  private readonly listeners = new Map<string, ((event: MessageEvent<string>) => void)[]>();
  constructor(readonly url: URL) {}
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void) {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }
  close() {
    this.readyState = 2;
  }
  send(type: string, data: unknown, id = '') {
    const event = { data: JSON.stringify(data), lastEventId: id } as MessageEvent<string>;
    for (const listener of this.listeners.get(type) ?? []) listener(event);
  }
  fail(fatal = true) {
    if (fatal) this.readyState = 2;
    this.onerror?.(new Event('error'));
  }
}

let sources: Source[];
const last = () => sources[sources.length - 1]!;
const settle = () => vi.advanceTimersByTime(20);

function start(offered = true) {
  const onReset = vi.fn();
  const client = new LiveClient({
    url: '/stream',
    offered,
    onReset,
    open: (url) => {
      const source = new Source(new URL(url, 'http://x'));
      sources.push(source);
      return source;
    },
  });
  client.start();
  return { client, onReset };
}

beforeEach(() => {
  sources = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe('the live stream', () => {
  it('opens one connection for all that is subscribed at once', () => {
    const { client } = start();
    client.subscribe('changes', () => {});
    client.subscribe('metrics', () => {});
    client.subscribe('metrics', () => {});
    settle();
    expect(sources).toHaveLength(1);
    expect(last().url.searchParams.getAll('topic')).toEqual(['changes', 'metrics']);
    expect(client.status).toBe('reconnecting');
    last().send('hello', { resumed: false });
    expect(client.status).toBe('live');
  });

  it('goes on where it was when the topics change, and closes without any', () => {
    const { client } = start();
    client.subscribe('changes', () => {});
    settle();
    last().send('hello', {}, '7');
    const leave = client.subscribe('logs:hello', () => {});
    settle();
    expect(sources).toHaveLength(2);
    expect(sources[0]!.readyState).toBe(2);
    expect(last().url.searchParams.get('after')).toBe('7');
    leave();
    settle();
    expect(last().url.searchParams.getAll('topic')).toEqual(['changes']);
  });

  it('gives events to those whose topic they belong to', () => {
    const { client } = start();
    const all = vi.fn();
    const one = vi.fn();
    client.subscribe('logs', all);
    client.subscribe('logs:hello', one);
    settle();
    last().send('log', { function: 'other', text: 'x' });
    last().send('log', { function: 'hello', text: 'y' });
    last().send('lost', { topic: 'logs:hello', count: 3 });
    expect(all).toHaveBeenCalledTimes(2);
    expect(one.mock.calls).toEqual([
      ['log', { function: 'hello', text: 'y' }],
      ['lost', { topic: 'logs:hello', count: 3 }],
    ]);
  });

  it('waits longer with each failure, lets screens poll after three, and comes back', () => {
    const { client } = start();
    client.subscribe('changes', () => {});
    settle();
    for (const [n, wait] of [1000, 2000, 4000, 8000].entries()) {
      last().fail();
      expect(client.status).toBe(n < 2 ? 'reconnecting' : 'polling');
      vi.advanceTimersByTime(wait - 1);
      expect(sources).toHaveLength(n + 1);
      vi.advanceTimersByTime(1);
      expect(sources).toHaveLength(n + 2);
    }
    last().send('hello', {});
    expect(client.status).toBe('live');
    last().fail();
    vi.advanceTimersByTime(1000);
    expect(sources).toHaveLength(6);
  });

  it('leaves it to the browser to connect again where the browser does', () => {
    const { client } = start();
    client.subscribe('changes', () => {});
    settle();
    last().send('hello', {});
    last().fail(false);
    expect(client.status).toBe('reconnecting');
    vi.advanceTimersByTime(60_000);
    expect(sources).toHaveLength(1);
  });

  it('has all read again after a gap, but not after a resumed one nor at first', () => {
    const { client, onReset } = start();
    client.subscribe('changes', () => {});
    settle();
    last().send('hello', { resumed: false });
    last().send('hello', { resumed: true });
    expect(onReset).not.toHaveBeenCalled();
    last().send('hello', { resumed: false });
    expect(onReset).toHaveBeenCalledOnce();
  });

  it('holds no connection while paused or hidden', () => {
    const { client, onReset } = start();
    client.subscribe('changes', () => {});
    settle();
    last().send('hello', {});
    client.hide(true);
    expect(last().readyState).toBe(2);
    client.hide(false);
    expect(sources).toHaveLength(2);
    last().send('hello', { resumed: true });
    client.pause(true);
    expect(client.status).toBe('paused');
    expect(last().readyState).toBe(2);
    client.pause(false);
    expect(onReset).toHaveBeenCalledOnce();
    expect(sources).toHaveLength(3);
  });

  it('polls from the start where the server has no stream', () => {
    const { client } = start(false);
    client.subscribe('changes', () => {});
    settle();
    expect(client.status).toBe('polling');
    expect(sources).toHaveLength(0);
    client.pause(true);
    expect(client.status).toBe('paused');
  });

  it('survives what is no document', () => {
    const { client } = start();
    const seen = vi.fn();
    client.subscribe('logs', seen);
    settle();
    for (const listener of ['log']) last().send(listener, undefined);
    expect(seen).not.toHaveBeenCalled();
  });
});

describe('concerns', () => {
  it('knows the events of each topic', () => {
    expect(concerns('metrics:hello', 'metrics', { series: [{ function: '' }, { function: 'hello' }] })).toBe(
      true,
    );
    expect(concerns('metrics:hello', 'metrics', { series: [{ function: '' }] })).toBe(false);
    expect(concerns('metrics', 'metrics', { series: [] })).toBe(true);
    expect(concerns('invocations', 'log', {})).toBe(false);
    expect(concerns('unknown', 'log', {})).toBe(false);
  });
});
