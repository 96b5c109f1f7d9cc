// S8 and S9: the code of a function and, beside it, tests of it.
import { Alert, Anchor, Button, Group, Popover, Text, Textarea, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDownload, IconHistory, IconLock, IconRocket } from '@tabler/icons-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useSearchParams } from 'wouter';
import { configOf, type Source, useDeploy, useSource } from '../../api/deploy';
import { asProblem, type Problem } from '../../api/problem';
import { type FunctionInfo, useFunction } from '../../api/queries';
import { useMay } from '../../api/session';
import type { Marker } from '../../code/Editor';
import { addressed, innermost, type Location } from '../../code/locations';
import { Workbench } from '../../code/Workbench';
import {
  changes,
  dropDraft,
  restoreDraft,
  saveDraft,
  type Workspace,
  workspaceOf,
  zip,
} from '../../code/workspace';
import { formatRelative, formatSeconds, parseDuration } from '../../components/format';
import { EmptyState, QueryState } from '../../components/states';
import { useKeys } from '../../hooks/useKeys';
import { type TestHandle, TestPanel } from '../../test/TestPanel';
import classes from './CodeScreen.module.css';

export default function CodeScreen({ params }: { params: Record<string, string> }) {
  const name = params.name!;
  const fn = useFunction(name);
  return (
    <QueryState query={fn}>
      {(info) =>
        info.version ? (
          <Loaded key={name} info={info} />
        ) : (
          <EmptyState title="No version serves">
            Deploy one with the command line: hearth deploy FOLDER --name {name}
          </EmptyState>
        )
      }
    </QueryState>
  );
}

function Loaded({ info }: { info: FunctionInfo }) {
  const source = useSource(info.name, info.version);
  return (
    <QueryState query={source}>{(s) => <Code key={info.active_version} info={info} source={s} />}</QueryState>
  );
}

function Code({ info, source }: { info: FunctionInfo; source: Source }) {
  const name = info.name;
  const version = info.version!;
  const mayDeploy = useMay('developer');
  const readOnly = source.readOnly ?? (mayDeploy ? null : 'Viewers can look at code and not change it.');
  const deployed = useMemo(() => workspaceOf(source.files), [source]);
  const [restored, setRestored] = useState(() => restoreDraft(localStorage, name, version.number, deployed));
  const [workspace, setWorkspace] = useState<Workspace>(restored?.workspace ?? deployed);
  const [markers, setMarkers] = useState<Record<string, Marker[]>>({});
  const [problem, setProblem] = useState<Problem | null>(null);
  const [address] = useSearchParams();
  const asked = Number(address.get('version')) || version.number;
  const [goTo, setGoTo] = useState<Location | null>(() =>
    addressed(
      address,
      workspace.files.map((f) => f.path),
    ),
  );
  const [asking, setAsking] = useState(false);
  const test = useRef<TestHandle>(null);
  const deploy = useDeploy(name);
  const changed = changes(workspace);
  const paths = workspace.files.map((f) => f.path);

  const change = (next: Workspace) => {
    serves.current = false;
    setWorkspace(next);
    setMarkers({});
  };
  const keep = (w: Workspace) => {
    try {
      saveDraft(localStorage, name, version.number, w);
    } catch {
      notifications.show({ color: 'red', message: 'The browser’s storage is full: the draft isn’t kept.' });
    }
  };
  // A tab that is closed must not lose what was typed.
  const latest = useRef(workspace);
  latest.current = workspace;
  const serves = useRef(false); // what is here was deployed: no draft any more
  // biome-ignore lint/correctness/useExhaustiveDependencies: keep reads the latest
  useEffect(() => {
    if (readOnly) return;
    const leave = () => serves.current || keep(latest.current);
    const timer = setTimeout(leave, 1_000);
    addEventListener('pagehide', leave);
    return () => {
      clearTimeout(timer);
      removeEventListener('pagehide', leave);
    };
  }, [workspace, readOnly]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the screen is left
  useEffect(() => () => void (readOnly || serves.current || keep(latest.current)), []);

  const save = () => {
    keep(workspace);
    notifications.show({
      message: changed.length
        ? 'The draft is kept in this browser. Deploy it to let it serve.'
        : 'Nothing differs from what is deployed.',
    });
  };
  const run = async (message: string) => {
    setAsking(false);
    setProblem(null);
    setMarkers({});
    try {
      const done = await deploy.mutateAsync({ files: workspace.files, config: configOf(version, message) });
      dropDraft(localStorage, name);
      serves.current = true;
      const { ready } = done;
      notifications.show({
        color: 'green',
        title: `Version ${done.version.number} serves`,
        message: [
          `Its first sandbox was ${ready.start} in ${formatSeconds(parseDuration(ready.took))}, import ${formatSeconds(parseDuration(ready.import))}.`,
          ...(ready.warnings ?? []),
        ].join(' '),
      });
    } catch (error) {
      const p = asProblem(error);
      setProblem(p);
      const place = innermost(p.trace, paths);
      if (place) {
        setMarkers({ [place.path]: [{ ...place, message: p.message }] });
        setGoTo(place);
      }
    }
  };
  const download = () => {
    const url = URL.createObjectURL(
      new Blob([zip(workspace.files) as BlobPart], { type: 'application/zip' }),
    );
    const a = document.createElement('a');
    a.href = url;
    a.download = `${name}-${changed.length ? 'draft' : version.number}.zip`;
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  useKeys([
    { keys: 't', label: 'Test', run: () => test.current?.run() },
    { keys: 'mod+Enter', label: 'Test', run: () => test.current?.run(), inFields: true },
    ...(readOnly
      ? []
      : [
          { keys: 'd', label: 'Deploy', run: () => changed.length > 0 && setAsking(true) },
          { keys: 'mod+s', label: 'Keep the draft', run: save, inFields: true },
        ]),
  ]);

  return (
    <>
      {restored && (
        <Alert
          icon={<IconHistory size={18} />}
          color="yellow"
          mb="md"
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => setRestored(null)}
          title={`Your draft of ${formatRelative(restored.at)} is open`}
        >
          {restored.stale && 'Another version was deployed since. '}
          <Anchor
            component="button"
            type="button"
            onClick={() => {
              dropDraft(localStorage, name);
              setWorkspace(deployed);
              setRestored(null);
            }}
          >
            Throw it away
          </Anchor>
        </Alert>
      )}
      {asked !== version.number && (
        <Alert variant="light" color="yellow" mb="md" icon={<IconHistory size={18} />}>
          The link is to a line of v{asked}. This is the code of v{version.number}, which serves: the line may
          have moved.
        </Alert>
      )}
      {problem && (
        <Alert
          color="red"
          mb="md"
          title="It isn’t deployed; the version before goes on serving"
          withCloseButton
          closeButtonLabel="Close"
          onClose={() => setProblem(null)}
          id="deploy-problem"
        >
          {problem.message} {problem.hint}
          {problem.trace && (
            <pre className="mono" style={{ whiteSpace: 'pre-wrap', margin: '0.5rem 0 0' }}>
              {problem.trace}
            </pre>
          )}
        </Alert>
      )}
      <div className={classes.bar}>
        <span className={classes.about} id="code-state">
          {readOnly ? (
            <>
              <IconLock size={14} aria-hidden /> {readOnly}
            </>
          ) : changed.length > 0 ? (
            <>
              <b>
                {changed.length} {changed.length === 1 ? 'file' : 'files'} changed
              </b>{' '}
              since v{version.number}
            </>
          ) : (
            `As deployed in v${version.number}${version.message ? `: ${version.message}` : ''}`
          )}
        </span>
        <Group gap="xs">
          <Tooltip label="Download as a .zip">
            <Button variant="default" size="xs" leftSection={<IconDownload size={15} />} onClick={download}>
              Download
            </Button>
          </Tooltip>
          {!readOnly && (
            <Popover
              opened={asking}
              onChange={setAsking}
              position="bottom-end"
              width={320}
              trapFocus
              shadow="md"
            >
              <Popover.Target>
                <Button
                  size="xs"
                  leftSection={<IconRocket size={15} />}
                  disabled={changed.length === 0}
                  loading={deploy.isPending}
                  onClick={() => setAsking(!asking)}
                >
                  Deploy
                </Button>
              </Popover.Target>
              <Popover.Dropdown>
                <DeployForm changed={changed} onDeploy={run} />
              </Popover.Dropdown>
            </Popover>
          )}
        </Group>
      </div>
      <div className={classes.grid}>
        <div className={classes.bench}>
          <Workbench
            workspace={workspace}
            onChange={change}
            readOnly={!!readOnly}
            markers={markers}
            goTo={goTo}
            onSave={readOnly ? undefined : save}
            onRun={() => test.current?.run()}
            onProblem={(error) => setProblem(asProblem(error))}
          />
        </div>
        <div className={classes.side}>
          <TestPanel
            ref={test}
            name={name}
            paths={paths}
            onLocate={(at) => setGoTo({ ...at })}
            active={info.active_version}
            note={
              changed.length > 0 && (
                <Text size="xs" c="dimmed" mt="xs">
                  This tests v{version.number}, which serves; your changes aren’t deployed.
                </Text>
              )
            }
          />
        </div>
      </div>
    </>
  );
}

function DeployForm({ changed, onDeploy }: { changed: string[]; onDeploy: (message: string) => void }) {
  const [message, setMessage] = useState('');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onDeploy(message.trim());
      }}
    >
      <Text size="sm" c="dimmed" mb="xs" style={{ overflowWrap: 'anywhere' }}>
        {changed.length > 3
          ? `${changed.slice(0, 3).join(', ')} and ${changed.length - 3} more`
          : changed.join(', ')}
      </Text>
      <Textarea
        label="Message"
        placeholder="What changes, for those who come after"
        autosize
        minRows={1}
        maxRows={4}
        maxLength={200}
        value={message}
        onChange={(event) => setMessage(event.currentTarget.value.replaceAll('\n', ' '))}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            event.preventDefault();
            onDeploy(message.trim());
          }
        }}
        data-autofocus
      />
      <Group justify="flex-end" mt="sm">
        <Button type="submit" size="xs">
          Deploy
        </Button>
      </Group>
    </form>
  );
}
