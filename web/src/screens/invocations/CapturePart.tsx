import { Code, SegmentedControl, Skeleton, Table } from '@mantine/core';
import { useState } from 'react';
import { asProblem } from '../../api/problem';
import { useMay } from '../../api/session';
import { CodeBlock } from '../../components/CodeBlock';
import { formatBytes } from '../../components/format';
import { ErrorState } from '../../components/states';
import { type CapturedBody, canCapture, type Headers, prettyJSON, textOf, useCapture } from './captured';
import type { Invocation } from './filters';
import classes from './InvocationDetail.module.css';

/** Request and reply as they were kept; or why they weren't, and how they would be. */
export function CapturePart({ of }: { of: Invocation }) {
  const capture = useCapture(of.id);
  const may = useMay('developer');
  if (!canCapture()) return null;
  if (!may)
    return <p className={classes.small}>What a call was asked and answered is shown to developers.</p>;
  if (capture.isPending) return <Skeleton height={120} radius="md" />;
  if (capture.error) {
    const problem = asProblem(capture.error);
    if (problem.status !== 404) return <ErrorState error={problem} retry={() => void capture.refetch()} />;
    return (
      <div className={classes.hint}>
        <p>{problem.message}</p>
        {problem.hint && <p className="soft">{problem.hint}</p>}
        <CodeBlock text={`hearth deploy . --name ${of.function} --capture sampled`} wrap />
      </div>
    );
  }
  const { request, reply, redacted } = capture.data;
  return (
    <div className={classes.capture}>
      <Message
        title="Request"
        line={
          request.http
            ? `${request.http.method} ${request.http.raw_path}${request.http.raw_query ? `?${request.http.raw_query}` : ''}`
            : 'An event of JSON'
        }
        headers={request.http?.headers}
        body={request}
      />
      {reply ? (
        <Message
          title="Reply"
          line={reply.status ? `Status ${reply.status}` : 'A document of JSON'}
          headers={reply.headers}
          body={reply}
        />
      ) : (
        <p className={classes.small}>There was no reply of the function to keep.</p>
      )}
      {!!redacted?.length && (
        <p className={classes.small}>
          Left out before it was kept:{' '}
          {redacted.map((r, i) => (
            <span key={r}>
              {i > 0 && ', '}
              <Code>{r}</Code>
            </span>
          ))}
        </p>
      )}
    </div>
  );
}

function Message({
  title,
  line,
  headers,
  body,
}: {
  title: string;
  line: string;
  headers?: Headers | null;
  body: CapturedBody;
}) {
  const text = textOf(body);
  const pretty = text === null ? null : prettyJSON(text);
  const [raw, setRaw] = useState(false);
  const names = Object.entries(headers ?? {}).flatMap(([name, values]) =>
    values.map((v) => [name, v] as const),
  );
  return (
    <section className={classes.message} aria-label={title}>
      <div className={classes.messageHead}>
        <h4>{title}</h4>
        <span className="mono">{line}</span>
        <span className="soft num">{formatBytes(body.bytes)}</span>
        {pretty !== null && (
          <SegmentedControl
            size="xs"
            data={['Pretty', 'Raw']}
            value={raw ? 'Raw' : 'Pretty'}
            onChange={(v) => setRaw(v === 'Raw')}
            aria-label={`How to show the ${title.toLowerCase()}`}
          />
        )}
      </div>
      {names.length > 0 && (
        <details className={classes.headers}>
          <summary>
            {names.length} {names.length === 1 ? 'header' : 'headers'}
          </summary>
          <Table.ScrollContainer minWidth={0}>
            <Table verticalSpacing={3} fz="xs" layout="fixed">
              <Table.Tbody>
                {names.map(([name, value]) => (
                  <Table.Tr key={`${name} ${value}`}>
                    <Table.Th scope="row" w="35%" className="mono">
                      {name}
                    </Table.Th>
                    <Table.Td className="mono">{value}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </details>
      )}
      {body.bytes === 0 ? (
        <p className={classes.small}>No body.</p>
      ) : text === null ? (
        <p className={classes.small}>The body is {formatBytes(body.bytes)} that aren't text.</p>
      ) : (
        <CodeBlock text={raw ? text : (pretty ?? text)} wrap label={`Copy the ${title.toLowerCase()}`} />
      )}
      {body.truncated && (
        <p className={classes.small}>Only its beginning was kept, of {formatBytes(body.bytes)} in all.</p>
      )}
    </section>
  );
}
