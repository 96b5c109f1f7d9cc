// Groups of errors as a list shows them.
import type { Schemas } from '../../api/client';
import { words } from '../../components/format';

export type ErrorGroup = Schemas['ErrorGroup'];

export const sorts = ['last', 'count', 'first', 'new'] as const;
export type Sort = (typeof sorts)[number];

/** What a group is called: the class of its exception, or how its calls ended. */
export const nameOf = (g: ErrorGroup): string => g.type || words(g.outcome);

/** The groups that have all words of a text, in an order. */
export function arrange(groups: ErrorGroup[], sort: Sort, text: string, fn: string): ErrorGroup[] {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (g: ErrorGroup) => {
    const all = [nameOf(g), g.message, g.frame, g.function].join(' ').toLowerCase();
    return (!fn || g.function === fn) && wanted.every((w) => all.includes(w));
  };
  const by: Record<Sort, (a: ErrorGroup, b: ErrorGroup) => number> = {
    last: (a, b) => Date.parse(b.last) - Date.parse(a.last),
    count: (a, b) => b.count - a.count,
    first: (a, b) => Date.parse(b.first) - Date.parse(a.first),
    new: (a, b) => Number(b.new_in > 0) - Number(a.new_in > 0) || by.last(a, b),
  };
  return groups.filter(fits).sort(by[sort]);
}

/** "v3", "v2–v5". */
export const versionsOf = (g: ErrorGroup): string =>
  g.first_version === g.last_version ? `v${g.first_version}` : `v${g.first_version}–v${g.last_version}`;
