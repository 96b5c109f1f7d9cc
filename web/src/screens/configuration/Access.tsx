import {
  ActionIcon,
  Button,
  Checkbox,
  Select,
  Switch,
  TagsInput,
  Text,
  TextInput,
  Tooltip,
} from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { Panel } from '../../components/Panel';
import classes from './Configuration.module.css';
import { type CorsDraft, type Draft, emptyCors, type RouteDraft } from './draft';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

interface AccessProps {
  name: string;
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
  readOnly: boolean;
  errors: Record<string, string>;
}

/** Who may call the function, where, and from which web pages. It holds at once, without a new version. */
export function Access({ name, draft, onChange, readOnly, errors }: AccessProps) {
  const change = (id: string, change: Partial<RouteDraft>) =>
    onChange({ routes: draft.routes.map((r) => (r.id === id ? { ...r, ...change } : r)) });
  return (
    <Panel
      title="Access and routes"
      id="access"
      about="These belong to the function: they hold for whichever version serves, at once."
    >
      <Switch
        label="Public"
        description={
          draft.public
            ? 'Anybody may call it over HTTP, without a key.'
            : 'Callers send a key of a developer or admin.'
        }
        checked={draft.public}
        onChange={(event) => onChange({ public: event.currentTarget.checked })}
        disabled={readOnly}
        id="public"
      />
      <h3 className={classes.heading}>Routes</h3>
      <p className={classes.hint}>
        Besides <code className="mono">/fn/{name}/</code>. A path that ends with{' '}
        <code className="mono">/*</code> takes all below it.
      </p>
      {draft.routes.length === 0 && <p className={classes.none}>No routes of its own.</p>}
      <ul className={classes.routes} aria-label="Routes">
        {draft.routes.map((r, i) => (
          <li key={r.id}>
            <div className={classes.route}>
              <Select
                aria-label={`Method of route ${i + 1}`}
                data={[{ value: '', label: 'any method' }, ...methods]}
                value={r.method}
                onChange={(method) => change(r.id, { method: method ?? '' })}
                allowDeselect={false}
                readOnly={readOnly}
              />
              <TextInput
                aria-label={`Path of route ${i + 1}`}
                value={r.path}
                onChange={(event) => change(r.id, { path: event.currentTarget.value })}
                placeholder="/hello"
                classNames={{ input: 'mono' }}
                readOnly={readOnly}
                spellCheck={false}
              />
              <Select
                aria-label={`CORS of route ${i + 1}`}
                data={[
                  { value: 'inherit', label: 'CORS as the function' },
                  { value: 'none', label: 'no CORS' },
                  { value: 'own', label: 'CORS of its own' },
                ]}
                value={typeof r.cors === 'string' ? r.cors : 'own'}
                onChange={(v) => change(r.id, { cors: v === 'own' ? emptyCors : (v as 'inherit' | 'none') })}
                allowDeselect={false}
                readOnly={readOnly}
              />
              {!readOnly && (
                <Tooltip label="Take away">
                  <ActionIcon
                    aria-label={`Take away the route ${r.path}`}
                    onClick={() => onChange({ routes: draft.routes.filter((x) => x.id !== r.id) })}
                  >
                    <IconTrash size={17} stroke={1.6} />
                  </ActionIcon>
                </Tooltip>
              )}
            </div>
            {typeof r.cors === 'object' && (
              <CorsEditor
                cors={r.cors}
                onChange={(cors) => change(r.id, { cors })}
                readOnly={readOnly}
                of={`route ${i + 1}`}
              />
            )}
          </li>
        ))}
      </ul>
      {errors.routes && (
        <Text c="var(--h-bad)" size="sm" role="alert">
          {errors.routes}
        </Text>
      )}
      {!readOnly && (
        <Button
          variant="subtle"
          leftSection={<IconPlus size={16} />}
          onClick={() =>
            onChange({
              routes: [...draft.routes, { id: crypto.randomUUID(), method: '', path: '', cors: 'inherit' }],
            })
          }
          id="add-route"
        >
          Add a route
        </Button>
      )}
      <h3 className={classes.heading}>CORS</h3>
      <p className={classes.hint}>
        What web pages of other origins may do with it. Hearth answers their preflight requests.
      </p>
      <Checkbox
        label="Let pages of other origins call it"
        checked={draft.cors !== null}
        onChange={(event) => onChange({ cors: event.currentTarget.checked ? emptyCors : null })}
        disabled={readOnly}
        id="cors"
      />
      {draft.cors && (
        <CorsEditor
          cors={draft.cors}
          onChange={(cors) => onChange({ cors })}
          readOnly={readOnly}
          of="the function"
        />
      )}
      {errors.cors && (
        <Text c="var(--h-bad)" size="sm" mt="xs" role="alert">
          {errors.cors}
        </Text>
      )}
    </Panel>
  );
}

function CorsEditor({
  cors,
  onChange,
  readOnly,
  of,
}: {
  cors: CorsDraft;
  onChange: (cors: CorsDraft) => void;
  readOnly: boolean;
  of: string;
}) {
  return (
    <fieldset className={classes.cors}>
      <legend className="visually-hidden">CORS of {of}</legend>
      <TagsInput
        label="Origins"
        description="As https://app.example.org, or * for all"
        value={cors.origins}
        onChange={(origins) => onChange({ ...cors, origins })}
        readOnly={readOnly}
        splitChars={[',', ' ']}
        acceptValueOnBlur
      />
      <TagsInput
        label="Methods"
        description="Nothing: those of the route"
        data={methods}
        value={cors.methods}
        onChange={(list) => onChange({ ...cors, methods: list })}
        readOnly={readOnly}
        splitChars={[',', ' ']}
        acceptValueOnBlur
      />
      <TagsInput
        label="Headers"
        description="That pages may send"
        value={cors.headers}
        onChange={(headers) => onChange({ ...cors, headers })}
        readOnly={readOnly}
        splitChars={[',', ' ']}
        acceptValueOnBlur
      />
      <TextInput
        label="Remembered for"
        description="As 10m; at most 24h"
        value={cors.max_age}
        onChange={(event) => onChange({ ...cors, max_age: event.currentTarget.value })}
        readOnly={readOnly}
      />
      <Checkbox
        label="With cookies and sign-ins"
        checked={cors.credentials}
        onChange={(event) => onChange({ ...cors, credentials: event.currentTarget.checked })}
        disabled={readOnly}
      />
    </fieldset>
  );
}
