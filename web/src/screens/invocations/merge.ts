// Puts the calls that the stream brings among those that were read in pages, the newest first.
import type { Invocation } from './filters';

export interface InvocationPage {
  items: Invocation[];
  next?: string;
}

/** The order of the server: when they were admitted, then by id, the newest first. */
export function newestFirst(a: Invocation, b: Invocation): number {
  const at = Date.parse(b.at) - Date.parse(a.at);
  return at || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

/**
 * Adds calls to pages, each where it belongs and none twice: a call may come by the stream and in a page.
 * One that is older than all that was read is left to the page it will come in. Pages that stay the same
 * are the same objects.
 */
export function mergeNewest(pages: InvocationPage[], incoming: Invocation[]): InvocationPage[] {
  const known = new Set<string>();
  for (const page of pages) for (const i of page.items) known.add(i.id);
  const fresh = incoming.filter((i) => !known.has(i.id) && known.add(i.id)).sort(newestFirst);
  if (fresh.length === 0 || pages.length === 0) return pages;
  let rest = fresh;
  const merged = pages.map((page, n) => {
    const last = page.items.at(-1);
    const isEnd = n === pages.length - 1 && !page.next;
    const mine = isEnd || !last ? rest : rest.filter((i) => newestFirst(i, last) < 0);
    if (mine.length === 0) return page;
    rest = rest.slice(mine.length);
    return { ...page, items: [...page.items, ...mine].sort(newestFirst) };
  });
  return merged;
}

/** All rows of pages in order, each once: what was added meanwhile moves rows from one page to the next. */
export function rowsOf(pages: InvocationPage[]): Invocation[] {
  if (pages.length === 1) return pages[0]!.items;
  const known = new Set<string>();
  return pages.flatMap((page) => page.items.filter((i) => !known.has(i.id) && known.add(i.id)));
}
