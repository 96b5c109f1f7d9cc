import { Anchor } from '@mantine/core';
import { IconChevronRight, IconLock, IconWorld } from '@tabler/icons-react';
import { type ReactNode, useEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { useFunction } from '../api/queries';
import { CopyIcon } from '../components/CodeBlock';
import { Tag } from '../components/OutcomeBadge';
import { PageHeader } from '../components/PageHeader';
import { ErrorState } from '../components/states';
import { RelativeTime } from '../components/values';
import { useScreenHref } from '../hooks/useScreenHref';
import { screens } from '../screens';
import classes from './FunctionFrame.module.css';

/** The head of all that is about one function: its name, where it answers, its tabs. */
export function FunctionFrame({ name, children }: { name: string; children: ReactNode }) {
  const fn = useFunction(name);
  const href = useScreenHref();
  const [location] = useLocation();
  const tabs = useRef<HTMLElement>(null);
  const shown = fn.data !== undefined || !fn.error;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another place is another tab
  useEffect(() => {
    const current = tabs.current?.querySelector<HTMLElement>('[aria-current]');
    if (tabs.current && current)
      tabs.current.scrollLeft +=
        current.getBoundingClientRect().right - tabs.current.getBoundingClientRect().right;
  }, [location, shown]);
  const f = fn.data;
  const url = f?.urls?.[0];
  if (!f && fn.error) return <ErrorState error={fn.error} retry={() => void fn.refetch()} />;
  return (
    <>
      <nav className={classes.crumbs} aria-label="Path">
        <Link href={href('/functions')}>Functions</Link>
        <IconChevronRight size={14} aria-hidden />
        <span>{name}</span>
      </nav>
      <PageHeader
        name={name}
        title={
          <>
            {name}
            {f?.version && <Tag>{f.version.runtime}</Tag>}
            {f && f.active_version > 0 && <Tag tone="accent">v{f.active_version}</Tag>}
            {f && f.active_version === 0 && <Tag tone="warn">no version serves</Tag>}
            {f &&
              (f.public ? (
                <Tag icon={<IconWorld size={13} aria-hidden />}>public</Tag>
              ) : (
                <Tag icon={<IconLock size={13} aria-hidden />}>needs a key</Tag>
              ))}
          </>
        }
        about={
          f && (
            <>
              {url && (
                <span className={classes.url}>
                  <Anchor href={new URL(url).pathname} className="mono" target="_blank" rel="noreferrer">
                    {url}
                  </Anchor>
                  <CopyIcon value={url} label="Copy the address" />
                </span>
              )}{' '}
              {f.version && (
                <>
                  deployed <RelativeTime at={f.version.created_at} /> by {f.version.created_by}
                </>
              )}
            </>
          )
        }
        cli={`hearth get ${name}`}
        curl={`/api/v1/functions/${name}`}
      />
      <nav ref={tabs} className={classes.tabs} aria-label={`About ${name}`}>
        {screens
          .filter((s) => s.tab)
          .map((s) => {
            const path = s.path.replace(':name', name).replace(/\/:.*$/, '');
            const exact = s.path === '/functions/:name';
            const here = location === path || (!exact && location.startsWith(`${path}/`));
            return (
              <Link
                key={s.path}
                href={href(path)}
                className={classes.tab}
                aria-current={here ? 'page' : undefined}
              >
                {s.tab!.label}
              </Link>
            );
          })}
      </nav>
      {children}
    </>
  );
}
