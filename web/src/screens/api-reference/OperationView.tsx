import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { IconCheck, IconChevronRight, IconLink } from '@tabler/icons-react';
import { useState } from 'react';
import { CodeBlock } from '../../components/CodeBlock';
import { Tag } from '../../components/OutcomeBadge';
import classes from './ApiReference.module.css';
import {
  boundsOf,
  curlFor,
  exampleOf,
  membersOf,
  type Operation,
  type Parameter,
  resolve,
  type Schema,
  typeName,
} from './spec';

type Schemas = Record<string, Schema>;

export function Method({ of }: { of: string }) {
  return (
    <span className={classes.method} data-method={of}>
      {of === 'DELETE' ? 'DEL' : of}
    </span>
  );
}

/** All there is to know of one operation. */
export function OperationView({ op, schemas, server }: { op: Operation; schemas: Schemas; server: string }) {
  const places = (['path', 'query', 'header'] as const)
    .map((place) => [place, op.parameters.filter((p) => p.in === place)] as const)
    .filter(([, list]) => list.length > 0);
  return (
    <article className={classes.operation}>
      <header>
        <h2>
          {op.summary}
          <CopyButton value={location.href} timeout={1500}>
            {({ copied, copy }) => (
              <Tooltip label={copied ? 'Copied' : 'Copy a link to this operation'}>
                <ActionIcon aria-label="Copy a link to this operation" onClick={copy}>
                  {copied ? <IconCheck size={17} /> : <IconLink size={17} stroke={1.6} />}
                </ActionIcon>
              </Tooltip>
            )}
          </CopyButton>
        </h2>
        <p className={classes.path}>
          <Method of={op.method} />
          <code>{op.path}</code>
        </p>
        <p className={classes.tags}>
          {op.role && <Tag tone={op.role === 'admin' ? 'accent' : 'neutral'}>needs {op.role}</Tag>}
          <span className="mono soft">{op.id}</span>
        </p>
        {op.description && <p>{op.description}</p>}
      </header>
      <section>
        <h3>Example</h3>
        <CodeBlock text={curlFor(op, server, schemas)} label="Copy the command" />
      </section>
      {places.map(([place, list]) => (
        <section key={place}>
          <h3>
            {place === 'path' ? 'In the path' : place === 'query' ? 'Query parameters' : 'Request headers'}
          </h3>
          <ul className={classes.members}>
            {list.map((p) => (
              <ParameterRow key={p.name} parameter={p} schemas={schemas} />
            ))}
          </ul>
        </section>
      ))}
      {op.body && (
        <section>
          <h3>
            Request body <span className="mono soft">{op.body.mediaType}</span>
          </h3>
          <SchemaView schema={op.body.schema} schemas={schemas} required="required" />
        </section>
      )}
      {op.answers.map((answer) => (
        <section key={answer.status}>
          <h3>
            {answer.status === 'default' ? 'Any error' : `Reply ${answer.status}`}{' '}
            <span className="mono soft">{answer.body?.mediaType ?? ''}</span>
          </h3>
          {answer.description && answer.description !== 'OK' && answer.status !== 'default' && (
            <p className="soft">{answer.description}</p>
          )}
          {answer.headers.length > 0 && (
            <ul className={classes.members}>
              {answer.headers.map((h) => (
                <ParameterRow
                  key={h.name}
                  parameter={{ name: h.name, in: 'header', schema: h.schema, description: h.description }}
                  schemas={schemas}
                />
              ))}
            </ul>
          )}
          {answer.body?.mediaType.includes('json') && answer.status !== 'default' ? (
            <>
              <SchemaView schema={answer.body.schema} schemas={schemas} />
              <Example schema={answer.body.schema} schemas={schemas} />
            </>
          ) : (
            answer.body && <SchemaView schema={answer.body.schema} schemas={schemas} folded />
          )}
          {!answer.body && answer.headers.length === 0 && answer.status.startsWith('2') && (
            <p className="soft">Without a document.</p>
          )}
        </section>
      ))}
    </article>
  );
}

function ParameterRow({ parameter: p, schemas }: { parameter: Parameter; schemas: Schemas }) {
  const schema = resolve(p.schema ?? {}, schemas);
  return (
    <li className={classes.member}>
      <span className={classes.name}>
        <code>{p.name}</code>
        <span className={classes.type}>{typeName(p.schema ?? {}, schemas)}</span>
        {p.required && p.in !== 'path' && <span className={classes.required}>required</span>}
      </span>
      <Meaning text={p.description ?? schema.description} bounds={boundsOf(schema)} />
    </li>
  );
}

function Meaning({ text, bounds }: { text?: string; bounds: string }) {
  if (!text && !bounds) return null;
  return (
    <span className={classes.meaning}>
      {text}
      {bounds && (
        <span className={classes.bounds}>
          {text && ' · '}
          {bounds}
        </span>
      )}
    </span>
  );
}

/** The members of a schema; those that have members of their own open on demand. */
function SchemaView({
  schema,
  schemas,
  folded = false,
  required = 'always',
}: {
  schema: Schema;
  schemas: Schemas;
  folded?: boolean;
  /** What is said of members that must be there. */
  required?: string;
}) {
  const members = membersOf(schema, schemas);
  if (!members) return <p className="soft">{typeName(schema, schemas)}</p>;
  return folded ? (
    <Foldable label={typeName(schema, schemas)}>
      <Members schema={members.schema} schemas={schemas} depth={0} required={required} />
    </Foldable>
  ) : (
    <Members schema={members.schema} schemas={schemas} depth={0} required={required} />
  );
}

function Members({
  schema,
  schemas,
  depth,
  required,
}: {
  schema: Schema;
  schemas: Schemas;
  depth: number;
  required: string;
}) {
  return (
    <ul className={classes.members}>
      {Object.entries(schema.properties ?? {}).map(([name, member]) => {
        const own = resolve(member, schemas);
        const inner = depth < 6 ? membersOf(member, schemas) : null;
        return (
          <li key={name} className={classes.member}>
            <span className={classes.name}>
              <code>{name}</code>
              <span className={classes.type}>{typeName(member, schemas)}</span>
              {schema.required?.includes(name) && <span className={classes.required}>{required}</span>}
            </span>
            <Meaning text={own.description} bounds={boundsOf(own)} />
            {inner && (
              <Foldable label={`Members of ${name}`}>
                <Members schema={inner.schema} schemas={schemas} depth={depth + 1} required={required} />
              </Foldable>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Foldable({ label, children }: { label: string; children: React.ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <div className={classes.foldable}>
      <button type="button" className={classes.fold} aria-expanded={open} onClick={() => setOpen(!open)}>
        <IconChevronRight size={14} aria-hidden data-open={open || undefined} />
        {label}
      </button>
      {open && children}
    </div>
  );
}

function Example({ schema, schemas }: { schema: Schema; schemas: Schemas }) {
  return (
    <Foldable label="Example of a reply">
      <CodeBlock text={JSON.stringify(exampleOf(schema, schemas), null, 2)} label="Copy the example" />
    </Foldable>
  );
}
