// A table of any length: only the rows in sight are in the document. It scrolls with the page, sorts by
// its columns, and j, k and Enter walk it.
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useCallback, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useKeys } from '../hooks/useKeys';
import { useUrlState } from '../hooks/useUrlState';
import classes from './DataTable.module.css';

export interface Column<T> {
  key: string;
  title: string;
  /** CSS width; columns without share the rest. */
  width?: number | string;
  align?: 'right';
  /** The column is left out where the table is narrower: 30, 44, 60, 70 rem. */
  from?: 'sm' | 'md' | 'lg' | 'xl';
  /** What to sort by. Undefined and null come last in either order. */
  sort?: (row: T) => number | string | null | undefined;
  /** The first click sorts the greatest first. */
  greatestFirst?: boolean;
  render: (row: T) => ReactNode;
}

interface DataTableProps<T> {
  /** What the table holds, for screen readers. */
  label: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  rowHeight?: number;
  /** Opens a row: click, Enter. A row with a link should still hold that link. */
  onOpen?: (row: T) => void;
  /** Sorts at first: "name", or "-rate" for the greatest first. The address remembers another. */
  sort?: string;
  /** The name in the address; two tables on a screen need two. */
  sortParam?: string;
  /** Set where the server sorts: the rows come as they shall be shown. */
  sorted?: boolean;
  /** Called when the last rows come in sight, for lists that are read in pages. */
  onEnd?: () => void;
}

/** Sorts rows by a column; equal ones, and those without a value, keep their order. */
export function sortRows<T>(rows: T[], column: Column<T> | undefined, descending: boolean): T[] {
  const by = column?.sort;
  if (!by) return rows;
  const none = (v: unknown) => v === undefined || v === null || Number.isNaN(v);
  const order = descending ? -1 : 1;
  return rows
    .map((row) => [row, by(row)] as const)
    .sort(([, a], [, b]) => {
      if (none(a) || none(b)) return Number(none(a)) - Number(none(b));
      return typeof a === 'string' ? order * a.localeCompare(String(b)) : order * (a! - (b as number));
    })
    .map(([row]) => row);
}

export function DataTable<T>(props: DataTableProps<T>) {
  const { label, columns, rows, rowKey, rowHeight = 52, onOpen, sorted, onEnd } = props;
  const [order, setOrder] = useUrlState(props.sortParam ?? 'sort', props.sort ?? '');
  const descending = order.startsWith('-');
  const orderKey = descending ? order.slice(1) : order;
  const shown = useMemo(
    () =>
      sorted
        ? rows
        : sortRows(
            rows,
            columns.find((c) => c.key === orderKey),
            descending,
          ),
    [rows, columns, orderKey, descending, sorted],
  );

  const frame = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => frame.current && setTop(frame.current.getBoundingClientRect().top + scrollY);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({
    count: shown.length,
    estimateSize: () => rowHeight,
    overscan: 10,
    scrollMargin: top,
    getItemKey: (i) => rowKey(shown[i]!),
  });
  const items = virtual.getVirtualItems();
  const first = items[0];
  const last = items[items.length - 1];

  const seenEnd = !!last && last.index >= shown.length - 5;
  useLayoutEffect(() => {
    if (seenEnd) onEnd?.();
  }, [seenEnd, onEnd]);

  const [selected, setSelected] = useState<string | null>(null);
  const index = selected === null ? -1 : shown.findIndex((row) => rowKey(row) === selected);
  const focus = useCallback((key: string) => {
    frame.current
      ?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)
      ?.focus({ preventScroll: true });
  }, []);
  const move = (by: number) => {
    if (shown.length === 0) return;
    const next = Math.max(
      0,
      Math.min(shown.length - 1, index < 0 ? (by > 0 ? 0 : shown.length - 1) : index + by),
    );
    const key = rowKey(shown[next]!);
    setSelected(key);
    virtual.scrollToIndex(next, { align: 'auto' });
    requestAnimationFrame(() => focus(key));
  };
  useKeys([
    { keys: 'j', label: 'Next row', run: () => move(1) },
    { keys: 'k', label: 'Previous row', run: () => move(-1) },
  ]);

  return (
    <div className={classes.frame} ref={frame}>
      <table className={classes.table} aria-label={label} aria-rowcount={shown.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((c) => {
              const active = c.key === orderKey;
              return (
                <th
                  key={c.key}
                  scope="col"
                  style={{ width: c.width }}
                  data-align={c.align}
                  data-from={c.from}
                  aria-sort={active ? (descending ? 'descending' : 'ascending') : undefined}
                >
                  {c.sort ? (
                    <button
                      type="button"
                      className={classes.sort}
                      data-active={active || undefined}
                      onClick={() => setOrder((active ? !descending : c.greatestFirst) ? `-${c.key}` : c.key)}
                    >
                      {c.title}
                      {active &&
                        (descending ? (
                          <IconArrowDown size={13} aria-hidden />
                        ) : (
                          <IconArrowUp size={13} aria-hidden />
                        ))}
                    </button>
                  ) : (
                    c.title
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {first && <Spacer height={first.start - top} />}
          {items.map((item) => {
            const row = shown[item.index]!;
            const key = rowKey(row);
            return (
              <tr
                key={key}
                data-key={key}
                data-selected={key === selected || undefined}
                aria-rowindex={item.index + 2}
                className={`${classes.row} ${onOpen ? classes.clickable : ''}`}
                style={{ height: rowHeight }}
                tabIndex={-1}
                onClick={(event) => {
                  // Links and buttons in the row do their own; so does the selection of text.
                  if (
                    (event.target as Element).closest('a, button, input, label') ||
                    getSelection()?.toString()
                  )
                    return;
                  setSelected(key);
                  onOpen?.(row);
                }}
                onKeyDown={(event) => {
                  if (event.key === 'Enter' && event.target === event.currentTarget) onOpen?.(row);
                }}
              >
                {columns.map((c) => (
                  <td key={c.key} data-align={c.align} data-from={c.from}>
                    {c.render(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          {last && <Spacer height={virtual.getTotalSize() - (last.end - top)} />}
        </tbody>
      </table>
    </div>
  );
}

function Spacer({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr className={classes.spacer} aria-hidden>
      <td style={{ height }} />
    </tr>
  );
}
