import { MantineProvider } from '@mantine/core';
import { fireEvent, render, screen } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Column, DataTable, sortRows } from './DataTable';

interface Row {
  name: string;
  calls: number | null;
}

const columns: Column<Row>[] = [
  { key: 'name', title: 'Name', sort: (r) => r.name, render: (r) => r.name },
  { key: 'calls', title: 'Calls', greatestFirst: true, sort: (r) => r.calls, render: (r) => r.calls },
];

describe('sorting', () => {
  const rows: Row[] = [
    { name: 'b', calls: null },
    { name: 'a', calls: 2 },
    { name: 'c', calls: 10 },
  ];
  const names = (key: string, descending: boolean) =>
    sortRows(
      rows,
      columns.find((c) => c.key === key),
      descending,
    ).map((r) => r.name);
  it('goes by text and by number', () => {
    expect(names('name', true)).toEqual(['c', 'b', 'a']);
    expect(names('calls', false)).toEqual(['a', 'c', 'b']);
  });
  it('puts what has no value last in either order', () =>
    expect(names('calls', true)).toEqual(['c', 'a', 'b']));
  it('leaves rows as they come without a column', () =>
    expect(names('other', false)).toEqual(['b', 'a', 'c']));
});

describe('a table of a thousand rows', () => {
  beforeEach(() => history.replaceState(null, '', '/'));
  const rows = Array.from(
    { length: 1000 },
    (_, i): Row => ({ name: `f${String(i).padStart(4, '0')}`, calls: i }),
  );
  const show = () =>
    render(
      <MantineProvider>
        <DataTable label="Functions" columns={columns} rows={rows} rowKey={(r) => r.name} sort="name" />
      </MantineProvider>,
    );
  it('holds only the rows in sight, and says how many there are', () => {
    const { container } = show();
    expect(container.querySelectorAll('tbody tr[data-key]').length).toBeLessThan(60);
    expect(screen.getByRole('table', { name: 'Functions' }).getAttribute('aria-rowcount')).toBe('1001');
  });
  it('sorts by a click, and the address tells', () => {
    const { container } = show();
    fireEvent.click(screen.getByRole('button', { name: 'Calls' }));
    expect(location.search).toBe('?sort=-calls');
    expect(container.querySelector('tbody tr[data-key]')?.getAttribute('data-key')).toBe('f0999');
    fireEvent.click(screen.getByRole('button', { name: 'Calls' }));
    expect(location.search).toBe('?sort=calls');
  });
});
