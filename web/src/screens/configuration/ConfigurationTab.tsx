import { Alert, Button, Group, Skeleton } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconEye, IconTrash } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { changed } from '../../api/changed';
import { api, type Schemas, unwrap } from '../../api/client';
import { asProblem } from '../../api/problem';
import { type FunctionInfo, useDeleteFunction, useFunction, useRuntimes, useServer } from '../../api/queries';
import { useMay, useSession } from '../../api/session';
import { ConfirmByName } from '../../components/ConfirmByName';
import { Panel } from '../../components/Panel';
import { QueryState } from '../../components/states';
import { useKeys } from '../../hooks/useKeys';
import { useScreenHref } from '../../hooks/useScreenHref';
import { useLive } from '../../live/context';
import { useServe, useVersions } from '../versions/queries';
import { Access } from './Access';
import classes from './Configuration.module.css';
import {
  checkDraft,
  type Draft,
  draftChanges,
  draftOf,
  fieldOfProblem,
  filled,
  patchOf,
  rebase,
} from './draft';
import { EnvEditor } from './EnvEditor';
import { FieldInput } from './FieldInput';
import { type Group as FieldGroup, fields } from './fields';
import { ReviewDialog } from './ReviewDialog';
import { StaleAlert } from './StaleAlert';

const groups: { group: FieldGroup; title: string; about: string }[] = [
  {
    group: 'resources',
    title: 'Resources',
    about: 'Limits of each sandbox and each call; the kernel holds them.',
  },
  { group: 'scaling', title: 'Scaling', about: 'How many sandboxes there are, and what each of them takes.' },
  {
    group: 'behaviour',
    title: 'Network and behaviour',
    about: 'What it may reach, and what happens around a call.',
  },
  { group: 'code', title: 'Code', about: 'How the code of the version that serves is run.' },
];

/** The configuration of a function: what holds, why, and a form to change it. */
export default function ConfigurationTab({ params }: { params: Record<string, string> }) {
  const fn = useFunction(params.name!);
  const server = useServer();
  const skeleton = <Skeleton height={360} radius="lg" aria-label="Loading" />;
  return (
    <QueryState query={fn} skeleton={skeleton}>
      {(info) => (
        <QueryState query={server} skeleton={skeleton}>
          {(s) => <Form key={info.name} info={info} server={s} />}
        </QueryState>
      )}
    </QueryState>
  );
}

interface Editing {
  /** What the edit began with. */
  base: FunctionInfo;
  draft: Draft;
}

/** Keeps an edit while its tab is left for another one. */
function useEditing(info: FunctionInfo) {
  const queries = useQueryClient();
  const key = ['drafts', info.name];
  const [editing, setEditing] = useState<Editing>(
    () => queries.getQueryData<Editing>(key) ?? { base: info, draft: draftOf(info) },
  );
  return {
    ...editing,
    set: (next: Editing) => {
      setEditing(next);
      queries.setQueryData(key, next);
    },
  };
}

function Form({ info, server }: { info: FunctionInfo; server: Schemas['Server'] }) {
  const may = useMay('developer');
  const me = useSession().data?.user.name;
  const queries = useQueryClient();
  const { base, draft, set } = useEditing(info);
  const [review, setReview] = useState(false);
  const [by, setBy] = useState<string>();
  const { bounds, defaults } = server;
  const runtimes = useRuntimes();
  const choices: Record<string, { value: string; label: string; disabled?: boolean }[]> = {
    sandbox: sandboxesOf(server),
    runtime: runtimesLike(info.version?.runtime ?? '', runtimes.data?.items ?? []),
  };

  const before = draftOf(base);
  const after = { ...draft, values: filled(draft.values, defaults) };
  const { version, function: own } = draftChanges(before, after);
  const count = version.length + own.length;
  const { patch, deploys } = patchOf(before, after);
  const stale = info.revision > base.revision;
  const change = (change: Partial<Draft>) => set({ base, draft: { ...draft, ...change } });
  const begin = (from: FunctionInfo) => set({ base: from, draft: draftOf(from) });

  // Where nothing is edited, the form follows the server.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another revision starts it anew
  useEffect(() => {
    if (stale && count === 0) begin(info);
  }, [info.revision, stale]);

  useLive('changes', (_event, data) => {
    const e = data as Schemas['Event'];
    if (e.function === info.name && e.by) setBy(e.by);
  });

  useEffect(() => {
    if (count === 0) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [count]);

  const serve = useServe(info.name);
  const save = useMutation({
    mutationFn: async (message: string) => {
      const path = { name: info.name };
      const header = { 'If-Match': `"${base.revision}"` };
      if (!deploys)
        return {
          info: await unwrap(
            api.PATCH('/api/v1/functions/{name}', {
              params: { path, header },
              body: patch as Schemas['FunctionUpdate'],
            }),
          ),
        };
      const made = await unwrap(
        api.PATCH('/api/v1/functions/{name}/config', {
          params: { path, header },
          headers: { 'Content-Type': 'application/merge-patch+json' },
          body: { ...patch, ...(message && { message }) } as Schemas['DeployConfig'],
        }),
      );
      return { info: made.function, ready: made.ready };
    },
    onSuccess: ({ info: now, ready }) => {
      queries.setQueryData(['functions', info.name], now);
      changed(queries);
      begin(now);
      setReview(false);
      tell(now, ready);
    },
    onError: async (error) => {
      if (asProblem(error).status !== 412) return;
      setReview(false);
      await queries.invalidateQueries({ queryKey: ['functions', info.name] });
    },
  });
  const tell = (now: FunctionInfo, ready?: Schemas['Readiness']) => {
    const id = `saved-${info.name}`;
    const was = base.active_version;
    notifications.hide(id);
    notifications.show({
      id,
      title: ready ? `Version ${now.active_version} serves` : 'Saved',
      autoClose: ready ? 20_000 : 5_000,
      message: ready ? (
        <Group justify="space-between" gap="sm">
          <span>
            Loaded in {ready.took}, {ready.start}. {ready.warnings?.join(' ')}
          </span>
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              notifications.hide(id);
              serve.mutate({ to: was, from: now.active_version });
            }}
          >
            Undo
          </Button>
        </Group>
      ) : (
        'It holds from now on.'
      ),
    });
  };

  const errors = checkDraft(draft, bounds);
  const problem = save.error ? asProblem(save.error) : null;
  const at = fieldOfProblem(problem?.field);
  if (problem && at && !errors[at]) errors[at] = [problem.message, problem.hint].filter(Boolean).join(': ');
  const wrong = Object.keys(checkDraft(draft, bounds)).length;
  const openReview = () => {
    save.reset();
    setReview(true);
  };
  useKeys(
    [
      {
        keys: 'mod+s',
        label: 'Review the changes',
        inFields: true,
        run: () => count > 0 && wrong === 0 && !stale && openReview(),
      },
    ],
    may,
  );

  return (
    <>
      {!may && (
        <Alert icon={<IconEye size={18} />} color="gray" mb="lg" title="You look, and change nothing">
          Viewers see the configuration. Developers and admins change it.
        </Alert>
      )}
      {stale && count > 0 && (
        <StaleAlert
          base={base}
          mine={after}
          latest={info}
          by={by === me ? (by ? `${by} (you, elsewhere)` : undefined) : by}
          onTheirs={() => begin(info)}
          onMine={() => set({ base: info, draft: rebase(before, after, draftOf(info)) })}
        />
      )}
      {info.version ? (
        groups.map(({ group, title, about }) => (
          <Panel key={group} title={title} about={about} id={group}>
            <div className={classes.grid}>
              {fields
                .filter((f) => f.group === group && draft.values[f.key] !== undefined)
                .map((field) => (
                  <FieldInput
                    key={field.key}
                    field={field}
                    value={draft.values[field.key]!}
                    saved={before.values[field.key] ?? ''}
                    onChange={(value) => change({ values: { ...draft.values, [field.key]: value } })}
                    bounds={bounds}
                    defaults={defaults}
                    readOnly={!may}
                    error={errors[field.key]}
                    choices={choices[field.key]}
                  />
                ))}
            </div>
          </Panel>
        ))
      ) : (
        <Alert color="yellow" mb="lg" title="No version serves">
          Limits and environment belong to versions. Let one serve, or deploy one.
        </Alert>
      )}
      {info.version && (
        <EnvEditor rows={draft.env} onChange={(env) => change({ env })} mayReveal={may} error={errors.env} />
      )}
      <Access name={info.name} draft={draft} onChange={change} readOnly={!may} errors={errors} />
      {may && <Danger info={info} />}
      {may && count > 0 && (
        <div className={classes.bar} id="save-bar">
          <span aria-live="polite">
            <b>
              {count} {count === 1 ? 'change' : 'changes'}
            </b>{' '}
            {wrong > 0 ? (
              <span className={classes.wrong}>
                {wrong === 1 ? 'one of them can’t be' : `${wrong} of them can’t be`}
              </span>
            ) : (
              <span className="soft">{deploys ? 'make a new version' : 'hold at once'}</span>
            )}
          </span>
          <Group gap="sm">
            <Button variant="default" onClick={() => begin(info)}>
              Discard
            </Button>
            <Button onClick={openReview} disabled={wrong > 0 || stale} id="review">
              Review
            </Button>
          </Group>
        </div>
      )}
      {review && (
        <ReviewDialog
          name={info.name}
          changes={[...version, ...own]}
          deploys={deploys}
          patch={patch}
          mostMessage={bounds.message}
          saving={save.isPending}
          error={problem?.status === 412 ? null : save.error}
          onSave={(message) => save.mutate(message)}
          onClose={() => setReview(false)}
        />
      )}
    </>
  );
}

const sandboxesOf = (server: Schemas['Server']) =>
  (server.sandboxes ?? []).map((d) => ({
    value: d.name,
    label: d.error ? `${d.name}: not usable here` : d.name,
    disabled: d.error !== undefined,
  }));

/** The runtimes of the same language: the code is written in it. */
function runtimesLike(name: string, all: Schemas['Runtime'][]) {
  const language = all.find((r) => r.name === name)?.language;
  const names = all.filter((r) => r.language === language && language).map((r) => r.name);
  return [...new Set([name, ...names])].map((value) => ({ value, label: value }));
}

/** The end of a function. */
function Danger({ info }: { info: FunctionInfo }) {
  const [asking, setAsking] = useState(false);
  const [, navigate] = useLocation();
  const href = useScreenHref();
  const versions = useVersions(info.name);
  const remove = useDeleteFunction();
  const count = versions.data?.length;
  return (
    <Panel
      title="Delete"
      id="danger"
      about="Takes the function away with all versions and routes. Calls in flight end; there is no way back."
      actions={
        <Button
          variant="default"
          c="var(--h-bad)"
          leftSection={<IconTrash size={16} stroke={1.7} />}
          onClick={() => setAsking(true)}
          id="delete"
        >
          Delete {info.name}
        </Button>
      }
    >
      <ConfirmByName
        opened={asking}
        onClose={() => setAsking(false)}
        title={`Delete ${info.name}?`}
        name={info.name}
        action="Delete"
        run={async () => {
          await remove.mutateAsync(info.name);
          notifications.show({ message: `${info.name} is gone.` });
          navigate(href('/functions'));
        }}
      >
        {count ? `All ${count === 1 ? 'of its one version' : `${count} versions`}` : 'All its versions'} and{' '}
        {info.routes?.length ? `${info.routes.length} routes` : 'its address'} will be gone.
      </ConfirmByName>
    </Panel>
  );
}
