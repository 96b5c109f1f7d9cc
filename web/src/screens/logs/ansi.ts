// Reads the colours that programs write for terminals. What comes out are pieces of text with names of
// styles, never markup: nothing that a function prints becomes part of the page.

export interface Style {
  /** 0–15: the palette of terminals; "#rrggbb" for others. */
  color?: number | string;
  background?: number | string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
}

export interface Piece {
  text: string;
  style: Style;
}

// CSI … letter, OSC … BEL or ESC \, and other two-character sequences.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const sequence = /\x1b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const control = /[\x00-\x08\x0b-\x1f\x7f]/g;

const byte = (n: number | undefined) =>
  Math.max(0, Math.min(255, n ?? 0))
    .toString(16)
    .padStart(2, '0');
const hex = (r?: number, g?: number, b?: number) => `#${byte(r)}${byte(g)}${byte(b)}`;

/** A colour of the palette of 256. */
function indexed(n: number): number | string {
  if (n < 16) return n;
  if (n >= 232) return hex(8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10);
  const level = (i: number) => (i === 0 ? 0 : 55 + i * 40);
  const c = n - 16;
  return hex(level(Math.floor(c / 36)), level(Math.floor(c / 6) % 6), level(c % 6));
}

function apply(style: Style, codes: number[]): Style {
  let s: Style = { ...style };
  for (let i = 0; i < codes.length; i++) {
    const c = codes[i]!;
    if (c === 0) s = {};
    else if (c === 1) s.bold = true;
    else if (c === 2) s.dim = true;
    else if (c === 3) s.italic = true;
    else if (c === 4) s.underline = true;
    else if (c === 22) {
      s.bold = undefined;
      s.dim = undefined;
    } else if (c === 23) s.italic = undefined;
    else if (c === 24) s.underline = undefined;
    else if (c >= 30 && c <= 37) s.color = c - 30;
    else if (c >= 90 && c <= 97) s.color = c - 82;
    else if (c === 39) s.color = undefined;
    else if (c >= 40 && c <= 47) s.background = c - 40;
    else if (c >= 100 && c <= 107) s.background = c - 92;
    else if (c === 49) s.background = undefined;
    else if (c === 38 || c === 48) {
      let color: number | string | undefined;
      if (codes[i + 1] === 5) {
        color = indexed(Math.max(0, Math.min(255, codes[i + 2] ?? 0)));
        i += 2;
      } else if (codes[i + 1] === 2) {
        color = hex(codes[i + 2], codes[i + 3], codes[i + 4]);
        i += 4;
      }
      if (c === 38) s.color = color;
      else s.background = color;
    }
  }
  return s;
}

export const hasAnsi = (text: string): boolean => text.includes('\x1b');

/** Text without its colours and control characters, for search and copies. */
export const plain = (text: string): string =>
  hasAnsi(text) ? text.replace(sequence, '').replace(control, '') : text.replace(control, '');

/** A line as pieces of one style each. */
export function parseAnsi(line: string): Piece[] {
  const pieces: Piece[] = [];
  let style: Style = {};
  let at = 0;
  const add = (text: string) => {
    const clean = text.replace(control, '');
    if (clean) pieces.push({ text: clean, style });
  };
  for (const match of line.matchAll(sequence)) {
    add(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === 'm') style = apply(style, (match[1] ?? '').split(/[;:]/).map(Number));
  }
  add(line.slice(at));
  return pieces;
}
