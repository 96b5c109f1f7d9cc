import { ActionIcon, Drawer, Tooltip } from '@mantine/core';
import { IconChevronDown, IconChevronUp, IconExternalLink } from '@tabler/icons-react';
import { useEffect, useEffectEvent } from 'react';
import { Link } from 'wouter';
import { inField } from '../../hooks/useKeys';
import type { Invocation } from './filters';
import { InvocationDetail, titleOf, useInvocation } from './InvocationDetail';

interface InvocationDrawerProps {
  /** Null is closed. */
  id: string | null;
  /** The list below, to walk to the next. */
  rows: Invocation[];
  onOpen: (id: string | null) => void;
  /** The address of the call's own page. */
  page: string;
}

/** One call over the list. */
export function InvocationDrawer({ id, rows, onOpen, page }: InvocationDrawerProps) {
  const index = rows.findIndex((r) => r.id === id);
  const walk = (by: number) => {
    const next = rows[index + by];
    if (index >= 0 && next) onOpen(next.id);
  };
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (inField(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'j') walk(1);
    if (event.key === 'k') walk(-1);
  });
  const opened = id !== null;
  useEffect(() => {
    if (!opened) return;
    const listen = (event: KeyboardEvent) => onKey(event);
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [opened]);
  return (
    <Drawer
      opened={opened}
      onClose={() => onOpen(null)}
      position="right"
      size="min(760px, 100vw)"
      title={id && <Title id={id} row={rows[index]} />}
      styles={{
        header: { borderBottom: '1px solid var(--h-line)' },
        title: { flex: 1, minWidth: 0 },
        body: { paddingTop: 'var(--mantine-spacing-md)' },
      }}
    >
      {id && (
        <>
          <div style={{ display: 'flex', gap: 4, justifyContent: 'flex-end', marginBottom: -30 }}>
            <Tooltip label="Previous (k)">
              <ActionIcon aria-label="Previous call" disabled={index <= 0} onClick={() => walk(-1)}>
                <IconChevronUp size={18} stroke={1.7} />
              </ActionIcon>
            </Tooltip>
            <Tooltip label="Next (j)">
              <ActionIcon
                aria-label="Next call"
                disabled={index < 0 || index >= rows.length - 1}
                onClick={() => walk(1)}
              >
                <IconChevronDown size={18} stroke={1.7} />
              </ActionIcon>
            </Tooltip>
            <Tooltip label="Its own page">
              <ActionIcon aria-label="Open the call's own page" component={Link} href={page}>
                <IconExternalLink size={18} stroke={1.7} />
              </ActionIcon>
            </Tooltip>
          </div>
          <InvocationDetail id={id} row={rows[index]} />
        </>
      )}
    </Drawer>
  );
}

function Title({ id, row }: { id: string; row?: Invocation }) {
  const { data } = useInvocation(id, row);
  return (
    <span style={{ fontWeight: 620, fontSize: '1.05rem', overflowWrap: 'anywhere' }}>{titleOf(data)}</span>
  );
}
