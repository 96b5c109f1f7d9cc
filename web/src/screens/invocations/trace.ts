// Reads stack traces as Python and Node print them, so that frames lead to the code.

export interface Frame {
  /** Below the function's folder: "lib/orders.py". */
  file: string;
  line: number;
  /** Whether it is code of the function, and not of a package that came with it. */
  own: boolean;
}

export interface TraceLine {
  before: string;
  /** The part that names the place, with its frame; "" for lines without one. */
  place: string;
  after: string;
  frame?: Frame;
}

const root = '/code/';
// `  File "/code/main.py", line 12, in handler`
const python = /^(.*?File )("([^"]+)", line (\d+))(.*)$/;
// `    at handler (/code/index.mjs:3:9)`, `    at file:///code/index.mjs:3:9`, `/code/index.mjs:3`
const node = /^(\s*at (?:.*? \()?|)((?:file:\/\/)?(\/[^():]+):(\d+)(?::\d+)?)(\)?)$/;

function frameOf(path: string, line: string): Frame | undefined {
  if (!path.startsWith(root)) return undefined;
  const file = path.slice(root.length);
  return { file, line: Number(line), own: !/(^|\/)(site-packages|node_modules)\//.test(file) };
}

export function parseTrace(trace: string): TraceLine[] {
  return trace
    .replace(/\n+$/, '')
    .split('\n')
    .map((text) => {
      const match = python.exec(text) ?? node.exec(text);
      if (!match) return { before: text, place: '', after: '' };
      const [, before = '', place = '', path = '', line = '', after = ''] = match;
      return { before, place, after, frame: frameOf(path, line) };
    });
}

/** The frame that a reader wants to see first: where it went wrong in the function's own code. */
export function topFrame(trace: string): Frame | undefined {
  const frames = parseTrace(trace)
    .map((l) => l.frame)
    .filter((f): f is Frame => !!f?.own);
  // Python prints the innermost call last, Node first.
  return /^\s*(\||\+)*\s*(Exception Group )?Traceback/m.test(trace) ? frames.at(-1) : frames[0];
}

/** The address of a place in a version's code. */
export function codeHref(name: string, version: number, frame: Frame): string {
  const query = new URLSearchParams({ file: frame.file, line: String(frame.line), version: String(version) });
  return `/functions/${encodeURIComponent(name)}/code?${query}`;
}
