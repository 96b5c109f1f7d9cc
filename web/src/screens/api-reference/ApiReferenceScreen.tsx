import { Button, Skeleton, TextInput } from '@mantine/core';
import { IconArrowLeft, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { request } from '../../api/client';
import { useServer } from '../../api/queries';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, QueryState } from '../../components/states';
import { useKeys } from '../../hooks/useKeys';
import { useScreenHref } from '../../hooks/useScreenHref';
import { useUrlState } from '../../hooks/useUrlState';
import classes from './ApiReference.module.css';
import { Method, OperationView } from './OperationView';
import { byTag, type Document, findOperations, type Reference, readDocument } from './spec';

export default function ApiReferenceScreen() {
  const reference = useQuery({
    queryKey: ['openapi'],
    queryFn: async ({ signal }) =>
      readDocument((await (await request('/openapi.json', { signal })).json()) as Document),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <>
      <PageHeader
        title="API reference"
        about={
          reference.data &&
          `${reference.data.operations.length} operations of Hearth ${reference.data.version}`
        }
        curl="/openapi.json"
      >
        <Button
          component="a"
          href="/openapi.json"
          download="hearth-openapi.json"
          variant="default"
          className={classes.download}
        >
          openapi.json
        </Button>
      </PageHeader>
      <QueryState
        query={reference}
        skeleton={
          <div className={classes.layout} role="status" aria-busy="true" aria-label="Loading">
            <Skeleton height={420} radius="lg" />
            <Skeleton height={420} radius="lg" />
          </div>
        }
      >
        {(r) => <Browser reference={r} />}
      </QueryState>
    </>
  );
}

function Browser({ reference }: { reference: Reference }) {
  const [search, setSearch] = useUrlState('q');
  const [chosen] = useUrlState('op');
  const [, navigate] = useLocation();
  const screenHref = useScreenHref();
  const server = useServer();
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLElement>(null);
  const found = useMemo(() => findOperations(reference.operations, search), [reference, search]);
  const op = reference.operations.find((o) => o.id === chosen);
  const href = (id?: string) =>
    screenHref('/api-reference', { ...(search && { q: search }), ...(id && { op: id }) });

  const move = (by: number) => {
    const ordered = byTag(found).flatMap(([, ops]) => ops);
    const at = ordered.findIndex((o) => o.id === chosen);
    const next = ordered[Math.max(0, Math.min(ordered.length - 1, at < 0 ? 0 : at + by))];
    if (next) navigate(href(next.id));
  };
  useKeys([
    { keys: '/', label: 'Find an operation', run: () => field.current?.focus() },
    { keys: 'j', label: 'Next operation', run: () => move(1) },
    { keys: 'k', label: 'Previous operation', run: () => move(-1) },
  ]);
  useEffect(() => {
    if (chosen) list.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);

  return (
    <div className={classes.layout} data-chosen={op !== undefined || undefined}>
      <nav className={classes.list} aria-label="Operations" ref={list}>
        <TextInput
          ref={field}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && found[0]) navigate(href(byTag(found)[0]![1][0]!.id));
          }}
          placeholder="Find: path, name, parameter"
          aria-label="Find an operation"
          leftSection={<IconSearch size={16} stroke={1.6} />}
          id="find-operation"
        />
        {byTag(found).map(([tag, ops]) => (
          <div key={tag}>
            <h2 className={classes.tag}>{tag}</h2>
            <ul>
              {ops.map((o) => (
                <li key={o.id}>
                  <Link
                    href={href(o.id)}
                    className={classes.item}
                    aria-current={o.id === chosen ? 'page' : undefined}
                    data-op={o.id}
                  >
                    <Method of={o.method} />
                    <span>{o.summary}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
        {found.length === 0 && <p className="soft">Nothing by that name.</p>}
      </nav>
      <div className={classes.detail} id="operation">
        {op ? (
          <>
            <Link href={href()} className={classes.back}>
              <IconArrowLeft size={16} stroke={1.7} aria-hidden /> All operations
            </Link>
            <OperationView
              key={op.id}
              op={op}
              schemas={reference.schemas}
              server={server.data?.url ?? location.origin}
            />
          </>
        ) : chosen ? (
          <EmptyState title="There is no such operation">
            Nothing is called <code>{chosen}</code> here. It may be from another version of Hearth.
          </EmptyState>
        ) : (
          <Start reference={reference} server={server.data?.url ?? location.origin} />
        )}
      </div>
    </div>
  );
}

function Start({ reference, server }: { reference: Reference; server: string }) {
  return (
    <article className={classes.start}>
      <h2>How to ask</h2>
      <p>
        Every operation is below <code className="mono">{server}/api/v1</code> and takes and gives JSON. Send
        a key (made under Settings, API keys) as <code className="mono">Authorization: Bearer KEY</code>; each
        operation says which role it needs.
      </p>
      <h3>Errors</h3>
      <p>
        Problem documents (RFC 9457) with a stable <code className="mono">code</code>, a{' '}
        <code className="mono">detail</code>, often a <code className="mono">hint</code> and the{' '}
        <code className="mono">field</code> at fault. Programs decide by the code, not by the text.
      </p>
      <h3>Lists</h3>
      <p>
        Come in pages: pass the <code className="mono">next</code> of a page as the{' '}
        <code className="mono">cursor</code> of the next; at the end there is none.
      </p>
      <h3>Changes that others may have made</h3>
      <p>
        A function’s <code className="mono">ETag</code>, sent back as <code className="mono">If-Match</code>,
        makes a change fail with 412 rather than overwrite what you haven’t seen.
      </p>
      {reference.description && <p className="soft">{reference.description}</p>}
    </article>
  );
}
