// The first minutes: choose, deploy, call, watch, on one page.
import { Alert, Button, Progress, TextInput } from '@mantine/core';
import {
  IconArrowRight,
  IconCheck,
  IconFlame,
  IconPlayerPlay,
  IconPlayerStop,
  IconRocket,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { api, unwrap } from '../../api/client';
import { type Deployed, useTemplates } from '../../api/deploy';
import { asProblem, type Problem } from '../../api/problem';
import { useFunctions } from '../../api/queries';
import { useMay } from '../../api/session';
import { TimeChart } from '../../charts/TimeChart';
import { freeName, wrongName } from '../../code/names';
import { mainFile } from '../../code/Workbench';
import { CodeBlock } from '../../components/CodeBlock';
import { formatCount, formatSeconds, parseDuration } from '../../components/format';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, QueryState } from '../../components/states';
import { useScreenHref } from '../../hooks/useScreenHref';
import { usePolling } from '../../live/context';
import { emptyInput } from '../../test/input';
import { commandsOf, runTest, type TestInput, type TestResult } from '../../test/run';
import { Result } from '../../test/TestPanel';
import { sendTraffic, type Traffic } from '../../test/traffic';
import { StartCard } from '../new/NewScreen';
import { blanks, type Start, startOf } from '../new/starts';
import { useFirstDeploy } from '../new/useFirstDeploy';
import classes from './StartScreen.module.css';

/** The three that are shown, if there are templates of these names; else the first ones. */
const favourites = ['hello-python', 'hello-node', 'shop-api'];

export default function StartScreen() {
  const templates = useTemplates();
  const functions = useFunctions();
  const mayDeploy = useMay('developer');
  if (!mayDeploy)
    return (
      <EmptyState title="Nothing to see yet">
        Functions appear once somebody with the role developer deploys one.
      </EmptyState>
    );
  return (
    <QueryState query={templates}>
      {(list) => {
        const able = (list.items ?? []).filter((t) => t.runtime);
        const liked = favourites.flatMap((name) => able.find((t) => t.name === name) ?? []);
        const three = [...liked, ...able.filter((t) => !liked.includes(t))].slice(0, 3).map(startOf);
        return functions.data ? (
          <Steps starts={three.length ? three : blanks} taken={functions.data.map((f) => f.name)} />
        ) : null;
      }}
    </QueryState>
  );
}

function Step({
  n,
  title,
  state,
  children,
}: {
  n: number;
  title: string;
  state: 'now' | 'done' | 'later';
  children?: ReactNode;
}) {
  return (
    <section className={classes.step} data-state={state} aria-label={`Step ${n}: ${title}`}>
      <div className={classes.number} aria-hidden>
        {state === 'done' ? <IconCheck size={18} /> : n}
      </div>
      <div>
        <h2 className={classes.title}>{title}</h2>
        {state !== 'later' && children}
      </div>
    </section>
  );
}

function Steps({ starts, taken }: { starts: Start[]; taken: string[] }) {
  const href = useScreenHref();
  const [start, setStart] = useState(starts[0]!);
  const [typed, setName] = useState<string | null>(null);
  const [before] = useState(taken); // the own one is taken once it is deployed
  const name = typed ?? freeName(start.suggestion, before);
  const [done, setDone] = useState<Deployed | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [called, setCalled] = useState(false);
  const deploy = useFirstDeploy(name);
  const wrong = wrongName(name) ?? (before.includes(name) ? 'There is a function of that name' : null);
  const main = mainFile(start.workspace);
  const input = start.event?.input ?? { ...emptyInput, body: '{"name": "Ada"}' };
  return (
    <div className={classes.page}>
      <PageHeader
        title="Your first function"
        about="Deploy one, call it, and watch it: two minutes"
        cli={`hearth deploy FOLDER --name ${name}`}
      />
      <Step n={1} title="Choose one to start from, and deploy it" state={done ? 'done' : 'now'}>
        {done ? (
          <p className="soft" style={{ margin: 0 }}>
            <b>{name}</b> serves. Its first sandbox was {done.ready.start} in{' '}
            {formatSeconds(parseDuration(done.ready.took))}, sealed by {done.ready.sealed}.
          </p>
        ) : (
          <>
            <div className={classes.cards}>
              {starts.map((s) => (
                <StartCard key={s.id} start={s} pressed={s.id === start.id} onChoose={setStart} />
              ))}
            </div>
            <CodeBlock
              text={start.workspace.files.find((f) => f.path === main)?.text ?? ''}
              label={`Copy ${main}`}
            />
            {problem && (
              <Alert color="red" mt="md" title="It isn’t deployed">
                {problem.message} {problem.hint}
              </Alert>
            )}
            <form
              className={classes.row}
              onSubmit={async (event) => {
                event.preventDefault();
                if (wrong) return;
                setProblem(null);
                try {
                  setDone(await deploy.run(start, start.workspace.files, start.config));
                } catch (error) {
                  setProblem(asProblem(error));
                }
              }}
            >
              <TextInput
                label="Name"
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                error={wrong}
                autoComplete="off"
                spellCheck={false}
              />
              <Button
                type="submit"
                leftSection={<IconRocket size={16} />}
                loading={deploy.pending}
                disabled={!!wrong}
              >
                Deploy
              </Button>
              <Button component={Link} href={href('/new')} variant="subtle" color="gray">
                More templates, or your own files
              </Button>
            </form>
          </>
        )}
      </Step>
      <Step n={2} title="Call it" state={!done ? 'later' : called ? 'done' : 'now'}>
        <CallIt name={name} input={input} open={!!start.config.public} onCalled={() => setCalled(true)} />
      </Step>
      <Step n={3} title="Watch it work" state={called ? 'now' : 'later'}>
        <WatchIt name={name} input={input} />
      </Step>
      {called && (
        <div className={classes.row} style={{ marginTop: 0 }}>
          <Button
            component={Link}
            href={href(`/functions/${name}/code`)}
            rightSection={<IconArrowRight size={16} />}
          >
            Change its code
          </Button>
          <Button component={Link} href={href(`/functions/${name}`)} variant="default">
            All about {name}
          </Button>
          <Button component={Link} href={href('/new')} variant="default">
            Another function
          </Button>
        </div>
      )}
    </div>
  );
}

function CallIt({
  name,
  input,
  open,
  onCalled,
}: {
  name: string;
  input: TestInput;
  open: boolean;
  onCalled: () => void;
}) {
  const [result, setResult] = useState<TestResult | null>(null);
  const [busy, setBusy] = useState(false);
  return (
    <>
      <CodeBlock text={commandsOf(name, input, { open }).curl} label="Copy the command" wrap />
      <div className={classes.row}>
        <Button
          leftSection={<IconPlayerPlay size={16} />}
          loading={busy}
          onClick={async () => {
            setBusy(true);
            setResult(await runTest(name, input));
            setBusy(false);
            onCalled();
          }}
        >
          {result ? 'Call it again' : 'Call it from here'}
        </Button>
      </div>
      {result && (
        <div className={classes.result} id="first-result">
          <Result name={name} result={result} paths={[]} />
        </div>
      )}
    </>
  );
}

const traffic = { rate: 8, seconds: 30 };
const shownSeconds = 60;

function WatchIt({ name, input }: { name: string; input: TestInput }) {
  const [now, setNow] = useState<Traffic | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const metrics = useQuery({
    queryKey: ['metrics', 'watch', name],
    queryFn: ({ signal }) => {
      const to = Math.floor(Date.now() / 1000);
      const at = (seconds: number) => new Date(seconds * 1000).toISOString();
      return unwrap(
        api.GET('/api/v1/metrics/query', {
          params: {
            query: {
              function: [name],
              fields: ['requests', 'duration'],
              step: '1s',
              from: at(to - shownSeconds),
              to: at(to),
            },
          },
          signal,
        }),
      );
    },
    refetchInterval: usePolling(1_000),
  });
  const send = async () => {
    const controller = new AbortController();
    running.current = controller;
    setNow({ sent: 0, ok: 0, failed: 0, done: 0 });
    const all = await sendTraffic(name, input, { ...traffic, signal: controller.signal, onProgress: setNow });
    setNow({ ...all, done: 1 });
    running.current = null;
  };
  const busy = now !== null && now.done < 1 && running.current !== null;
  const data = metrics.data;
  const series = data?.series[0];
  const at = data?.at ?? [];
  const none = at.map(() => null);
  return (
    <>
      <div className={classes.row} style={{ marginTop: 0 }}>
        {busy ? (
          <Button
            variant="default"
            leftSection={<IconPlayerStop size={16} />}
            onClick={() => running.current?.abort()}
          >
            Stop
          </Button>
        ) : (
          <Button leftSection={<IconFlame size={16} />} onClick={send}>
            Send test traffic
          </Button>
        )}
        <span className="soft num" id="traffic">
          {!now
            ? `${traffic.rate} calls a second for ${traffic.seconds} seconds`
            : now.ok + now.failed === 0
              ? 'Sending…'
              : `${now.sent} sent, ${now.ok} answered well${now.failed ? `, ${now.failed} failed` : ''}`}
        </span>
      </div>
      {now && <Progress value={now.done * 100} size="xs" mt="sm" aria-label="Test traffic" />}
      <div className={classes.charts}>
        <TimeChart
          title="Calls a second"
          at={at}
          step={1}
          stacked
          format={formatCount}
          height={150}
          atLeast={4}
          series={[
            { key: 'requests', label: 'calls', values: series?.requests ?? none, color: '--outcome-ok' },
          ]}
        />
        <TimeChart
          title="Duration"
          at={at}
          step={1}
          format={formatSeconds}
          height={150}
          series={[
            { key: 'p50', label: 'p50', values: series?.duration?.p50 ?? none, color: '--chart-2' },
            { key: 'p99', label: 'p99', values: series?.duration?.p99 ?? none, color: '--chart-1' },
          ]}
        />
      </div>
    </>
  );
}
