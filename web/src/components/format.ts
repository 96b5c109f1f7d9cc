// How values are written, everywhere the same. All take what the API gives.

const units: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 1e-3, µs: 1e-6, us: 1e-6, ns: 1e-9 };

/** Seconds of a duration as Go writes it: "1m0.5s", "300ms". What isn't one is NaN. */
export function parseDuration(text: string | undefined): number {
  if (!text) return 0;
  if (text === '0') return 0;
  let sum = 0;
  let rest = text.startsWith('-') ? text.slice(1) : text;
  while (rest) {
    const match = /^(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|µs|us|ns)/.exec(rest);
    if (!match) return Number.NaN;
    sum += Number(match[1]) * units[match[2]!]!;
    rest = rest.slice(match[0].length);
  }
  return text.startsWith('-') ? -sum : sum;
}

const digits = (n: number) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
/** Without the zeros that say nothing: 1.50 is 1.5. */
const trim = (s: string) => (s.includes('.') ? s.replace(/\.?0+$/, '') : s);

/** "1.24 ms", "3.5 s", "2 m 5 s"; – for none. */
export function formatSeconds(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return '–';
  const s = Math.abs(seconds);
  const sign = seconds < 0 ? '−' : '';
  if (s === 0) return '0 s';
  if (s < 1e-3) return `${sign}${trim(digits(s * 1e6))} µs`;
  if (s < 1) return `${sign}${trim(digits(s * 1e3))} ms`;
  if (s < 60) return `${sign}${trim(digits(s))} s`;
  const [whole, of, big, small] =
    s < 3600 ? [60, 1, 'm', 's'] : s < 86_400 ? [3600, 60, 'h', 'm'] : [86_400, 3600, 'd', 'h'];
  const major = Math.floor(s / (whole as number));
  const minor = Math.floor((s % (whole as number)) / (of as number));
  return `${sign}${major} ${big}${minor ? ` ${minor} ${small}` : ''}`;
}

/** "12.3 MiB", in powers of 1024. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined || Number.isNaN(bytes)) return '–';
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let n = bytes;
  let i = 0;
  while (n >= 1024 && i < names.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i === 0 ? n.toFixed(0) : trim(digits(n))} ${names[i]}`;
}

/** "1.2k", "3.4M"; – for none. */
export function formatCount(n: number | null | undefined): string {
  if (n === null || n === undefined || Number.isNaN(n)) return '–';
  if (Math.abs(n) >= 1e9) return `${trim(digits(n / 1e9))}G`;
  if (Math.abs(n) >= 1e6) return `${trim(digits(n / 1e6))}M`;
  if (Math.abs(n) >= 1e4) return `${trim(digits(n / 1e3))}k`;
  return Number.isInteger(n) ? String(n) : trim(digits(n));
}

/** "0.4/s", "120/s". */
export function formatRate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined || Number.isNaN(perSecond)) return '–';
  if (perSecond > 0 && perSecond < 0.1) return `${trim(digits(perSecond * 60))}/min`;
  return `${formatCount(perSecond)}/s`;
}

/** "0.3 %" of a share between 0 and 1. Something is never written as nothing, nor as all. */
export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined || Number.isNaN(share)) return '–';
  const p = share * 100;
  if (p === 0 || p === 100) return `${p} %`;
  if (p < 0.1) return '<0.1 %';
  if (p > 99.9) return '>99.9 %';
  return `${p < 10 ? trim(p.toFixed(1)) : p.toFixed(0)} %`;
}

/** "just now", "5 s ago", "3 h ago", "in 2 d". */
export function formatRelative(at: string | number | Date, now = Date.now()): string {
  const seconds = (now - new Date(at).getTime()) / 1000;
  const s = Math.abs(seconds);
  if (s < 3) return 'just now';
  const [n, unit] =
    s < 60
      ? [s, 's']
      : s < 3600
        ? [s / 60, 'min']
        : s < 86_400
          ? [s / 3600, 'h']
          : s < 86_400 * 60
            ? [s / 86_400, 'd']
            : [s / 2_629_800, 'months'];
  const text = `${Math.floor(n as number)} ${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** "2026-03-04 05:06:07.089", in local time: sorts, and has no order of day and month to guess. */
export function formatTime(at: string | number | Date, { millis = true, date = true } = {}): string {
  const d = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} `;
  const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return (date ? day : '') + time + (millis ? `.${String(d.getMilliseconds()).padStart(3, '0')}` : '');
}

/** "function_error" as people read it. */
export const words = (name: string): string => name.replaceAll('_', ' ');
