// Shortcuts: "g f" is one key after another, "mod+s" is Ctrl or ⌘. Those given to useKeys are listed by `?`.
import { useEffect, useEffectEvent } from 'react';

export interface Shortcut {
  /** Keys as in "/", "g f", "mod+s", "mod+Enter". */
  keys: string;
  /** What it does, for the overview. */
  label: string;
  run: () => void;
  /** Also while the focus is in a field, as for mod+s. */
  inFields?: boolean;
}

const registered = new Set<Shortcut[]>();
const listeners = new Set<() => void>();
let snapshot: Shortcut[] = [];

function announce() {
  snapshot = [...registered].flat();
  for (const listener of listeners) listener();
}

/** The shortcuts of all that is shown, for useSyncExternalStore. */
export const shortcuts = {
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  },
  get: () => snapshot,
};

const within = 900; // ms between the keys of a sequence

/** How a key event is written in Shortcut.keys. */
export function keyOf(event: KeyboardEvent): string {
  const mod = event.ctrlKey || event.metaKey ? 'mod+' : '';
  return mod + (event.altKey ? 'alt+' : '') + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
}

export function inField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) ||
      target.role === 'textbox')
  );
}

/** Whether a dialog is open, over which the shortcuts of the screen below don't reach. */
function inDialog(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('[role=dialog]') !== null;
}

/** Offers shortcuts while the component is shown. */
export function useKeys(list: Shortcut[], enabled = true): void {
  const signature = list.map((s) => `${s.keys} ${s.label}`).join('\n');
  const current = useEffectEvent(() => list);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the signature tells when the list is another
  useEffect(() => {
    if (!enabled) return;
    const mine = current();
    registered.add(mine);
    announce();
    let before = '';
    let since = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || inDialog(event.target)) return;
      const key = keyOf(event);
      const both = event.timeStamp - since < within ? `${before} ${key}` : key;
      for (const s of current()) {
        if (s.keys !== key && s.keys !== both) continue;
        if (inField(event.target) && !s.inFields) continue;
        event.preventDefault();
        before = '';
        s.run();
        return;
      }
      before = key;
      since = event.timeStamp;
    };
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('keydown', onKey);
      registered.delete(mine);
      announce();
    };
  }, [signature, enabled]);
}
