// A new function: from a template, from nothing, or from files of one's own.
import {
  Alert,
  Button,
  Group,
  NumberInput,
  SegmentedControl,
  Select,
  Switch,
  TextInput,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import {
  IconArrowLeft,
  IconBrandJavascript,
  IconBrandPython,
  IconFolderUp,
  IconRocket,
  IconUpload,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type DragEvent, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { api, unwrap } from '../../api/client';
import { useTemplates } from '../../api/deploy';
import { asProblem, type Problem } from '../../api/problem';
import { useFunctions, useServer } from '../../api/queries';
import { useMay } from '../../api/session';
import { filesFromDrop, filesFromList } from '../../code/drop';
import type { Marker } from '../../code/Editor';
import { innermost, type Location } from '../../code/locations';
import { freeName, wrongName } from '../../code/names';
import { Workbench } from '../../code/Workbench';
import type { SourceFile } from '../../code/workspace';
import { formatSeconds, parseDuration } from '../../components/format';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, ErrorState, QueryState } from '../../components/states';
import { useScreenHref } from '../../hooks/useScreenHref';
import { useUrlState } from '../../hooks/useUrlState';
import classes from './NewScreen.module.css';
import { blanks, languageName, type Start, startOf, startOfFiles } from './starts';
import { useFirstDeploy } from './useFirstDeploy';

export default function NewScreen() {
  const templates = useTemplates();
  const functions = useFunctions();
  const [from, setFrom] = useUrlState('from');
  const [dropped, setDropped] = useState<Start | null>(null);
  const mayDeploy = useMay('developer');
  if (!mayDeploy)
    return <EmptyState title="Viewers can’t make functions">Ask an admin for the role developer.</EmptyState>;
  return (
    <QueryState query={templates}>
      {(list) => {
        const starts = [...blanks, ...(list.items ?? []).map(startOf)];
        const chosen = dropped ?? starts.find((s) => s.id === from);
        return chosen && functions.data ? (
          <Compose
            key={chosen.id}
            start={chosen}
            taken={functions.data.map((f) => f.name)}
            onBack={() => {
              setDropped(null);
              setFrom('');
            }}
          />
        ) : (
          <Choose starts={starts} onChoose={(s) => (s.id === 'files' ? setDropped(s) : setFrom(s.id))} />
        );
      }}
    </QueryState>
  );
}

export function StartCard({
  start,
  onChoose,
  pressed,
}: {
  start: Start;
  onChoose: (s: Start) => void;
  pressed?: boolean;
}) {
  const Icon = start.language === 'python' ? IconBrandPython : IconBrandJavascript;
  return (
    <button
      type="button"
      className={classes.card}
      disabled={!!start.missing}
      title={start.missing}
      aria-pressed={pressed}
      onClick={() => onChoose(start)}
    >
      <span className={classes.kicker}>
        <Icon size={15} stroke={1.6} aria-hidden /> {languageName(start.language)}
      </span>
      <span className={classes.name}>{start.title}</span>
      <span className={classes.about}>{start.missing ?? start.about}</span>
    </button>
  );
}

function Choose({ starts, onChoose }: { starts: Start[]; onChoose: (s: Start) => void }) {
  const [language, setLanguage] = useUrlState('language');
  return (
    <>
      <PageHeader
        title="New function"
        about="Start from something that works, from nothing, or from your own files"
        cli="hearth deploy FOLDER"
      />
      <SegmentedControl
        size="xs"
        mb="md"
        aria-label="Language"
        value={language}
        onChange={setLanguage}
        data={[
          { value: '', label: 'All' },
          { value: 'python', label: 'Python' },
          { value: 'nodejs', label: 'JavaScript' },
        ]}
      />
      <div className={classes.gallery} id="templates">
        {starts
          .filter((s) => language === '' || s.language === language)
          .map((s) => (
            <StartCard key={s.id} start={s} onChoose={onChoose} />
          ))}
      </div>
      <DropFiles onFiles={(files, name) => onChoose(startOfFiles(files, name))} />
    </>
  );
}

function DropFiles({ onFiles }: { onFiles: (files: SourceFile[], name?: string) => void }) {
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const folder = useRef<HTMLInputElement>(null);
  const single = useRef<HTMLInputElement>(null);
  const take = async (reading: Promise<SourceFile[]>, name?: string) => {
    try {
      const files = await reading;
      if (files.length === 0) throw new Error('There are no files in it.');
      setProblem(null);
      onFiles(files, name);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const name = event.dataTransfer.items[0]
      ?.webkitGetAsEntry?.()
      ?.name.replace(/\.(zip|tgz|tar\.gz|py|[cm]?js)$/i, '');
    void take(filesFromDrop(event.dataTransfer), name);
  };
  const chosen = (list: FileList | null) => {
    if (!list?.length) return;
    const first = list[0]!;
    void take(
      filesFromList(list),
      first.webkitRelativePath.split('/')[0] || first.name.replace(/\.[^.]+$/, ''),
    );
  };
  return (
    <section
      className={classes.drop}
      data-over={over || undefined}
      aria-label="Your files"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <div>
        <div className={classes.name}>Or drop a folder, files or a .zip here</div>
        <div className={classes.about}>
          Python and JavaScript; the language and the handler are found by themselves.
        </div>
        {problem && (
          <div role="alert" style={{ color: 'var(--h-bad)' }}>
            {problem.message} {problem.hint}
          </div>
        )}
      </div>
      <Group gap="xs">
        <Button
          variant="default"
          leftSection={<IconFolderUp size={16} stroke={1.6} />}
          onClick={() => folder.current?.click()}
        >
          Choose a folder
        </Button>
        <Button
          variant="default"
          leftSection={<IconUpload size={16} stroke={1.6} />}
          onClick={() => single.current?.click()}
        >
          Choose files
        </Button>
      </Group>
      <input
        ref={(element) => {
          folder.current = element;
          element?.setAttribute('webkitdirectory', '');
        }}
        type="file"
        hidden
        multiple
        aria-label="A folder"
        onChange={(event) => chosen(event.currentTarget.files)}
      />
      <input
        ref={single}
        id="choose-files"
        type="file"
        hidden
        multiple
        aria-label="Files"
        onChange={(event) => chosen(event.currentTarget.files)}
      />
    </section>
  );
}

function Compose({ start, taken, onBack }: { start: Start; taken: string[]; onBack: () => void }) {
  const [workspace, setWorkspace] = useState(start.workspace);
  const [name, setName] = useState(() => freeName(start.suggestion, taken));
  const [isPublic, setPublic] = useState(start.config.public ?? false);
  const [memory, setMemory] = useState<number | string>(start.config.limits?.memory ?? '');
  const [timeout, setTimeLimit] = useState(start.config.limits?.timeout ?? '');
  const [runtime, setRuntime] = useState<string>(start.config.runtime ?? '');
  const [markers, setMarkers] = useState<Record<string, Marker[]>>({});
  const [goTo, setGoTo] = useState<Location | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [, navigate] = useLocation();
  const href = useScreenHref();
  const server = useServer();
  const runtimes = useQuery({
    queryKey: ['runtimes'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/runtimes', { signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const deploy = useFirstDeploy(name);
  const wrong = wrongName(name) ?? (taken.includes(name) ? 'There is a function of that name' : null);
  const defaults = server.data?.defaults.config.limits;

  const submit = async () => {
    if (wrong) return;
    setProblem(null);
    setMarkers({});
    const limits = {
      ...start.config.limits,
      ...(memory !== '' && { memory: Number(memory) }),
      ...(timeout.trim() !== '' && { timeout: timeout.trim() }),
    };
    try {
      const done = await deploy.run(start, workspace.files, {
        ...start.config,
        runtime,
        limits,
        public: isPublic,
      });
      notifications.show({
        color: 'green',
        title: `${name} serves`,
        message: `Its first sandbox was ${done.ready.start} in ${formatSeconds(parseDuration(done.ready.took))}.`,
      });
      navigate(href(`/functions/${name}/code`));
    } catch (error) {
      const p = asProblem(error);
      setProblem(p);
      const place = innermost(
        p.trace,
        workspace.files.map((f) => f.path),
      );
      if (place) {
        setMarkers({ [place.path]: [{ ...place, message: p.message }] });
        setGoTo(place);
      }
    }
  };
  const known = (runtimes.data?.items ?? []).map((r) => r.name);
  const of = (field: string) => (problem?.field?.endsWith(field) ? problem.message : undefined);
  return (
    <>
      <PageHeader title="New function" about={start.title}>
        <Button variant="default" leftSection={<IconArrowLeft size={16} />} onClick={onBack}>
          Start from something else
        </Button>
        <Button
          leftSection={<IconRocket size={16} />}
          onClick={submit}
          loading={deploy.pending}
          disabled={!!wrong || workspace.files.length === 0}
        >
          Deploy
        </Button>
      </PageHeader>
      {problem && (
        <Alert
          color="red"
          mb="md"
          title="It isn’t deployed"
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
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <TextInput
          label="Name"
          description="Part of its address"
          id="function-name"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={wrong}
          autoComplete="off"
          spellCheck={false}
        />
        <Select
          label="Runtime"
          description="Found by itself if empty"
          placeholder="As the code says"
          data={[...new Set([...(runtime && !known.includes(runtime) ? [runtime] : []), ...known])].map(
            (r) => ({
              value: r,
              label: r === 'python' || r === 'nodejs' ? `${languageName(r)}, newest` : r,
            }),
          )}
          value={runtime || null}
          onChange={(value) => setRuntime(value ?? '')}
          clearable
          clearButtonProps={{ 'aria-label': 'As the code says' }}
          error={of('runtime')}
        />
        <NumberInput
          label="Memory"
          description="MiB"
          placeholder={defaults?.memory ? `${defaults.memory}, the default` : undefined}
          value={memory}
          onChange={setMemory}
          min={16}
          step={32}
          error={of('memory')}
        />
        <TextInput
          label="Time-out"
          description="As in 300ms or 3s"
          placeholder={defaults?.timeout ? `${defaults.timeout}, the default` : undefined}
          value={timeout}
          onChange={(event) => setTimeLimit(event.currentTarget.value)}
          error={of('timeout')}
        />
        <Switch
          label="Public"
          description="Its address needs no key"
          mt="lg"
          checked={isPublic}
          onChange={(event) => setPublic(event.currentTarget.checked)}
        />
        <button type="submit" hidden />
      </form>
      {server.error && !server.data && <ErrorState error={server.error} />}
      <div className={classes.bench}>
        <Workbench
          workspace={workspace}
          onChange={(w) => {
            setWorkspace(w);
            setMarkers({});
          }}
          markers={markers}
          goTo={goTo}
          onRun={submit}
          onProblem={(error) => setProblem(asProblem(error))}
        />
      </div>
    </>
  );
}
