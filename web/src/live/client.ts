// One event stream per tab for everything that is live. A browser opens six connections to a host at
// most, so nothing else may hold one: subscribe here instead.

/** What the stream is doing. "polling": there is no stream, screens ask again by themselves. */
export type LiveStatus = 'live' | 'reconnecting' | 'paused' | 'polling' | 'idle';

/** Called with each event of a topic: its name ("invocation", "log", …) and its document. */
export type LiveHandler = (event: string, data: unknown) => void;

/** What the client needs of EventSource; tests bring their own. */
export interface EventSourceLike {
  readonly readyState: number;
  onerror: ((event: Event) => void) | null;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface LiveOptions {
  /** The address without a query. */
  url: string;
  /** False where the server has no stream: the client polls from the start. */
  offered: boolean;
  open?: (url: string) => EventSourceLike;
  /** Called when events were lost, so that all that is shown must be read again. */
  onReset?: () => void;
}

/** The events of each kind of topic. */
const eventsOf: Record<string, string> = {
  metrics: 'metrics',
  invocations: 'invocation',
  logs: 'log',
  changes: 'change',
  sandboxes: 'sandboxes',
};
const events = ['hello', 'lost', ...Object.values(eventsOf)];

const closed = 2; // EventSource.CLOSED
const firstWait = 1_000;
const longestWait = 30_000;
/** After so many failures in a row the screens poll, and the client goes on trying. */
const patience = 3;

export class LiveClient {
  private readonly handlers = new Map<string, Set<LiveHandler>>();
  private readonly listeners = new Set<() => void>();
  private source?: EventSourceLike;
  private topics = '';
  private lastId = '';
  private failures = 0;
  private retry?: ReturnType<typeof setTimeout>;
  private settling?: ReturnType<typeof setTimeout>;
  private paused = false;
  private hidden = false;
  private started = false;
  private greeted = false;
  private current: LiveStatus = 'idle';

  constructor(private readonly options: LiveOptions) {}

  get status(): LiveStatus {
    return this.current;
  }

  /** Calls back whenever the status changes; returns how to stop that. */
  readonly onStatus = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Begins; until then subscriptions wait. */
  start(): void {
    this.started = true;
    this.update();
  }

  /** Ends for good, as at a sign-out. */
  stop(): void {
    this.started = false;
    this.lastId = '';
    this.failures = 0;
    this.update();
  }

  pause(on: boolean): void {
    if (this.paused && !on) this.options.onReset?.();
    this.paused = on;
    this.update();
  }

  /** A hidden tab holds no connection, and reads again what it missed when it is seen. */
  hide(on: boolean): void {
    this.hidden = on;
    this.update();
  }

  /**
   * Calls handler with the events of a topic: "metrics", "invocations:hello", … Several subscriptions of
   * one topic share the stream. Returns how to unsubscribe.
   */
  subscribe(topic: string, handler: LiveHandler): () => void {
    const set = this.handlers.get(topic) ?? new Set();
    this.handlers.set(topic, set.add(handler));
    this.settle();
    return () => {
      set.delete(handler);
      if (set.size === 0) this.handlers.delete(topic);
      this.settle();
    };
  }

  /** Waits for the other subscriptions of a screen that mounts: one connection for all of them. */
  private settle(): void {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.update(), 20);
  }

  private update(): void {
    const topics = [...this.handlers.keys()].sort().join(' ');
    const wanted = this.started && !this.paused && !this.hidden && this.options.offered && topics !== '';
    if (!wanted) {
      this.disconnect();
      this.tell(
        !this.started || topics === ''
          ? 'idle'
          : this.paused
            ? 'paused'
            : this.options.offered
              ? 'idle'
              : 'polling',
      );
      return;
    }
    if (this.source && topics === this.topics) return;
    if (this.retry && topics === this.topics) return;
    this.disconnect();
    this.topics = topics;
    this.connect();
  }

  private connect(): void {
    const query = new URLSearchParams(this.topics.split(' ').map((topic) => ['topic', topic]));
    if (this.lastId) query.set('after', this.lastId);
    const open = this.options.open ?? ((url) => new EventSource(url));
    const source = open(`${this.options.url}?${query}`);
    this.source = source;
    if (this.current !== 'polling' && this.current !== 'live') this.tell('reconnecting');
    for (const name of events)
      source.addEventListener(name, (event) => {
        if (this.source === source) this.receive(name, event);
      });
    source.onerror = () => {
      if (this.source !== source) return;
      this.failures++;
      this.tell(this.failures >= patience ? 'polling' : 'reconnecting');
      if (source.readyState !== closed) return; // the browser connects again by itself
      this.disconnect();
      const wait = Math.min(longestWait, firstWait * 2 ** (this.failures - 1));
      this.retry = setTimeout(() => {
        this.retry = undefined;
        this.connect();
      }, wait);
    };
  }

  private disconnect(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.source?.close();
    this.source = undefined;
  }

  private receive(name: string, event: MessageEvent<string>): void {
    if (event.lastEventId) this.lastId = event.lastEventId;
    let data: unknown;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    if (name === 'hello') {
      this.failures = 0;
      this.tell('live');
      if (this.greeted && !(data as { resumed?: boolean }).resumed) this.options.onReset?.();
      this.greeted = true;
      return;
    }
    for (const [topic, handlers] of this.handlers) {
      if (!concerns(topic, name, data)) continue;
      for (const handler of [...handlers]) handler(name, data);
    }
  }

  private tell(status: LiveStatus): void {
    if (status === this.current) return;
    this.current = status;
    for (const listener of [...this.listeners]) listener();
  }
}

/** Whether an event belongs to a topic: "logs:hello" wants only the lines of hello. */
export function concerns(topic: string, name: string, data: unknown): boolean {
  const [kind = '', of] = topic.split(/:(.*)/s);
  if (name === 'lost') return (data as { topic?: string }).topic === topic;
  if (eventsOf[kind] !== name) return false;
  if (of === undefined) return true;
  const d = data as { function?: string; series?: { function: string }[] };
  return kind === 'metrics' ? !!d.series?.some((s) => s.function === of) : d.function === of;
}
