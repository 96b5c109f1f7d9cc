// The lines that the log view holds: a ring of bounded length, in the order of the server's count.
import type { LogLine } from './line';

/** So many lines at most, shown and held back together. */
export const mostLines = 50_000;

export interface LogState {
  /** Oldest first. A new array whenever something changed. */
  lines: readonly LogLine[];
  /** Lines that came while the reader looks at older ones. */
  held: number;
  /** Lines that the stream left out, since this reader was too slow for them. */
  lost: number;
  /** Lines that went out of the ring at its old end. */
  dropped: number;
  /** Held lines were more than there is room for: what is shown must be read again. */
  overflowed: boolean;
}

export class LogBuffer {
  private state: LogState = { lines: [], held: 0, lost: 0, dropped: 0, overflowed: false };
  private waiting: LogLine[] = [];
  private following = true;

  constructor(private readonly most = mostLines) {}

  get current(): LogState {
    return this.state;
  }

  /** Whether new lines are shown at once. What was held back is shown then. */
  follow(on: boolean): void {
    this.following = on;
    if (!on || (this.waiting.length === 0 && !this.state.overflowed)) return;
    const held = this.waiting;
    this.waiting = [];
    if (!this.state.overflowed) this.append(held);
    this.state = { ...this.state, held: 0 };
  }

  /** Adds lines that the stream brought. */
  push(incoming: readonly LogLine[]): void {
    if (incoming.length === 0) return;
    if (this.following && !this.state.overflowed) {
      this.append(incoming);
      return;
    }
    const room = this.most - this.state.lines.length;
    const after = Math.max(this.state.lines.at(-1)?.seq ?? 0, this.waiting.at(-1)?.seq ?? 0);
    const fresh = inOrder(incoming, after);
    if (fresh.length === 0) return;
    const overflowed = this.state.overflowed || this.waiting.length + fresh.length > room;
    if (overflowed) this.waiting = [];
    else this.waiting.push(...fresh);
    this.state = { ...this.state, held: this.state.held + fresh.length, overflowed };
  }

  /** Puts older lines, that were read from the store, before the others. */
  prepend(older: readonly LogLine[]): number {
    const before = this.state.lines[0]?.seq ?? Number.POSITIVE_INFINITY;
    const room = this.most - this.state.lines.length - this.waiting.length;
    const fresh = inOrder(older).filter((l) => l.seq < before);
    const kept = room <= 0 ? [] : fresh.slice(-room);
    if (kept.length > 0) this.state = { ...this.state, lines: [...kept, ...this.state.lines] };
    return kept.length;
  }

  /** Begins anew with lines from the store, and those that came live since. */
  reset(lines: readonly LogLine[]): void {
    const read = inOrder(lines).slice(-this.most);
    const last = read.at(-1)?.seq ?? 0;
    const newer = [...this.state.lines, ...this.waiting].filter((l) => l.seq > last);
    this.waiting = [];
    this.state = {
      lines: [...read, ...newer].slice(-this.most),
      held: 0,
      lost: 0,
      dropped: 0,
      overflowed: false,
    };
  }

  /** Clears what is shown; new lines go on coming. */
  clear(): void {
    this.waiting = [];
    this.state = { lines: [], held: 0, lost: 0, dropped: 0, overflowed: false };
  }

  lose(count: number): void {
    this.state = { ...this.state, lost: this.state.lost + count };
  }

  get full(): boolean {
    return this.state.lines.length + this.waiting.length >= this.most;
  }

  private append(incoming: readonly LogLine[]): void {
    const fresh = inOrder(incoming, this.state.lines.at(-1)?.seq ?? 0);
    if (fresh.length === 0) return;
    const { lines, dropped } = this.state;
    const over = Math.max(0, lines.length + fresh.length - this.most);
    const kept = lines.slice(over).concat(fresh.slice(Math.max(0, over - lines.length)));
    this.state = { ...this.state, lines: kept, dropped: dropped + over };
  }
}

/** Lines after one, by their count, none twice. */
function inOrder(lines: readonly LogLine[], after = 0): readonly LogLine[] {
  // As they mostly come.
  if (lines.every((l, i) => l.seq > (i === 0 ? after : lines[i - 1]!.seq))) return lines;
  const sorted = lines.filter((l) => l.seq > after).sort((a, b) => a.seq - b.seq);
  return sorted.filter((l, i) => i === 0 || l.seq !== sorted[i - 1]!.seq);
}
