import { Switch } from '@mantine/core';
import { useState } from 'react';
import { Tag } from '../../components/OutcomeBadge';
import classes from './ChangeTable.module.css';
import type { Change } from './fields';

/** What a configuration was and is, setting by setting. Values of the environment are hidden at first. */
export function ChangeTable({
  changes,
  before,
  after,
  mayReveal,
  label,
}: {
  changes: Change[];
  /** The titles of the two columns. */
  before: string;
  after: string;
  /** Whether the reader knows the values of the environment. */
  mayReveal: boolean;
  label: string;
}) {
  const [reveal, setReveal] = useState(false);
  const secrets = changes.some((c) => c.secret);
  return (
    <>
      {secrets && mayReveal && (
        <Switch
          label="Show the values of the environment"
          checked={reveal}
          onChange={(event) => setReveal(event.currentTarget.checked)}
          mb="xs"
          size="xs"
        />
      )}
      <table className={classes.table} aria-label={label}>
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col">{before}</th>
            <th scope="col">{after}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((c) => (
            <tr key={c.key} data-change={c.key}>
              <th scope="row">
                {c.secret ? <span className="mono">{c.label}</span> : c.label}{' '}
                {c.secret && (
                  <Tag tone={c.before === undefined ? 'good' : c.after === undefined ? 'bad' : 'warn'}>
                    {c.before === undefined ? 'added' : c.after === undefined ? 'removed' : 'changed'}
                  </Tag>
                )}
              </th>
              <td>
                <Side value={c.before} hidden={!!c.secret && !reveal} kind="before" />
              </td>
              <td>
                <Side value={c.after} hidden={!!c.secret && !reveal} kind="after" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Side({ value, hidden, kind }: { value?: string; hidden: boolean; kind: 'before' | 'after' }) {
  if (value === undefined) return <span className="soft">–</span>;
  if (hidden) return <span className="soft">hidden</span>;
  return (
    <span className={classes.value} data-kind={kind}>
      {value === '' ? 'empty' : value}
    </span>
  );
}
