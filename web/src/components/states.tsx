// What a list or page shows when there is nothing to show: nothing yet, not yet, or not at all.
import { Button, Skeleton, Stack } from '@mantine/core';
import { IconAlertTriangle, IconInbox, IconRefresh } from '@tabler/icons-react';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { asProblem } from '../api/problem';
import classes from './states.module.css';

interface EmptyStateProps {
  title: string;
  icon?: ReactNode;
  /** Why it is empty, and what to do about it. */
  children?: ReactNode;
  actions?: ReactNode;
}

export function EmptyState({ title, icon, children, actions }: EmptyStateProps) {
  return (
    <section className={classes.box}>
      <div className={classes.icon} aria-hidden>
        {icon ?? <IconInbox size={22} stroke={1.6} />}
      </div>
      <h2 className={classes.title}>{title}</h2>
      {children && <div className={classes.text}>{children}</div>}
      {actions && <div className={classes.actions}>{actions}</div>}
    </section>
  );
}

/** What went wrong, what helps, and a button to try again. */
export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = asProblem(error);
  return (
    <section className={classes.box} role="alert">
      <div className={`${classes.icon} ${classes.bad}`} aria-hidden>
        <IconAlertTriangle size={22} stroke={1.6} />
      </div>
      <h2 className={classes.title}>{problem.message}</h2>
      {problem.hint && <p className={classes.text}>{problem.hint}</p>}
      <p className={`${classes.text} mono`}>
        {problem.code}
        {problem.status > 0 && ` · ${problem.status}`}
        {problem.invocation && ` · invocation ${problem.invocation}`}
      </p>
      {retry && (
        <div className={classes.actions}>
          <Button variant="default" leftSection={<IconRefresh size={16} />} onClick={retry}>
            Try again
          </Button>
        </div>
      )}
    </section>
  );
}

/** Grey bars in the place of a list's rows. */
export function SkeletonRows({ rows = 8, height = 44 }: { rows?: number; height?: number }) {
  return (
    <Stack gap={8} aria-busy="true" aria-label="Loading" role="status">
      {Array.from({ length: rows }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <Skeleton key={i} height={height} radius="md" />
      ))}
    </Stack>
  );
}

/** Shows a query's skeleton, its error with a retry, or its data. Old data outlives a failed refresh. */
export function QueryState<T>({
  query,
  skeleton,
  children,
}: {
  query: UseQueryResult<T>;
  skeleton?: ReactNode;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  return <>{skeleton ?? <SkeletonRows />}</>;
}
