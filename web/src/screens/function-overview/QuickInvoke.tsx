import { Button, Textarea } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { api, unwrap } from '../../api/client';
import { useMay } from '../../api/session';
import { CodeBlock } from '../../components/CodeBlock';
import { formatSeconds } from '../../components/format';
import { OutcomeBadge, StartBadge, Tag } from '../../components/OutcomeBadge';
import { CopyCommand } from '../../components/PageHeader';
import { Panel } from '../../components/Panel';
import { PhaseBar } from '../../components/PhaseBar';
import { hasScreen } from '../../hooks/useInvocationsHref';
import { useScreenHref } from '../../hooks/useScreenHref';
import classes from './function.module.css';
import { type Answer, complaint, invoke, pretty } from './invoke';

/** Calls the function with an event of JSON and shows what came back, and where the time went. */
export function QuickInvoke({ name }: { name: string }) {
  const may = useMay('developer');
  const [event, setEvent] = useState('{}');
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [busy, setBusy] = useState(false);
  const wrong = complaint(event);
  const run = async () => {
    if (busy || wrong) return;
    setBusy(true);
    setAnswer(await invoke(name, event));
    setBusy(false);
  };
  const command = `hearth invoke ${name} -d '${event.trim().replaceAll("'", "'\\''")}'`;
  return (
    <Panel title="Quick invoke" id="invoke" actions={<CopyCommand cli={command} />}>
      <Textarea
        aria-label="Event, in JSON"
        value={event}
        onChange={(e) => setEvent(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
            e.preventDefault();
            void run();
          }
        }}
        error={wrong}
        autosize
        minRows={3}
        maxRows={12}
        spellCheck={false}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.8125rem' } }}
      />
      <Button
        mt="sm"
        fullWidth
        leftSection={<IconPlayerPlay size={16} />}
        loading={busy}
        disabled={!may || !!wrong}
        onClick={() => void run()}
        title={may ? 'Ctrl Enter' : 'Calling needs the role developer'}
      >
        Invoke
      </Button>
      <div aria-live="polite">{answer && <Shown answer={answer} />}</div>
    </Panel>
  );
}

function Shown({ answer }: { answer: Answer }) {
  const href = useScreenHref();
  const record = useQuery({
    queryKey: ['invocations', answer.id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/invocations/{id}', { params: { path: { id: answer.id! } }, signal })),
    enabled: !!answer.id,
    retry: 4,
  });
  const { problem } = answer;
  const found = record.data;
  return (
    <div className={classes.reply} id="reply">
      <div className={classes.replyHead}>
        {found ? (
          <OutcomeBadge outcome={found.outcome} />
        ) : problem ? (
          <Tag tone="bad">{problem.code}</Tag>
        ) : null}
        <span className="num">{formatSeconds(answer.seconds)}</span>
        {answer.start && <StartBadge start={answer.start} />}
        {answer.version && <span className="soft">v{answer.version}</span>}
        {answer.id && hasScreen('/invocations') && (
          <Link href={href('/invocations', { open: answer.id })}>Details</Link>
        )}
      </div>
      {found && <PhaseBar value={found.phases} legend />}
      <div style={{ marginTop: '0.5rem' }}>
        {problem ? (
          <CodeBlock
            text={[problem.message, problem.hint, problem.trace].filter(Boolean).join('\n')}
            label="Copy the error"
            wrap
          />
        ) : (
          <CodeBlock text={pretty(answer.body ?? '') || '(empty)'} label="Copy the reply" wrap />
        )}
      </div>
    </div>
  );
}
