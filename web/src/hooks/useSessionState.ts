import { useCallback, useState } from 'react';

/** State that outlives a reload of this tab, as far as the browser keeps it. */
export function useSessionState<T>(name: string, initial: T): [T, (next: T | ((now: T) => T)) => void] {
  const [value, setValue] = useState<T>(() => {
    try {
      return JSON.parse(sessionStorage.getItem(name) ?? '') as T;
    } catch {
      return initial;
    }
  });
  const set = useCallback(
    (next: T | ((now: T) => T)) =>
      setValue((now) => {
        const v = next instanceof Function ? next(now) : next;
        try {
          sessionStorage.setItem(name, JSON.stringify(v));
        } catch {
          // It is full: what is new is still shown.
        }
        return v;
      }),
    [name],
  );
  return [value, set];
}
