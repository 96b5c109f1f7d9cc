import { Code, SegmentedControl, Skeleton, Table } from '@mantine/core';
import { useState } from 'react';
import { useMay } from '../../api/session';
import { CodeBlock } from '../../components/CodeBlock';
import { formatBytes } from '../../components/format';
import { ErrorState } from '../../components/states';
import { type CapturedBody, type Headers, prettyJSON, textOf, useCapture } from './captured';
import type { Invocation } from './filters';
import classes from './InvocationDetail.module.css';

/** Request and reply as they were kept; or why they weren't, and how they would be. */
export function CapturePart({ of }: { of: Invocation }) {
  const may = useMay('developer');
  const capture = useCapture(of);
  if (!of.captured) return <NotKept of={of} />;
  if (!may)
    return (
      <p className={classes.small}>
        They were kept. Developers may see them, for they hold what callers sent.
      </p>
    );
  if (capture.isPending) return <Skeleton height={120} radius="md" />;
  if (capture.error) return <ErrorState error={capture.error} retry={() => void capture.refetch()} />;
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

function NotKept({ of }: { of: Invocation }) {
  return (
    <div className={classes.hint}>
      <p>
        {of.outcome === 'ok'
          ? 'They were not kept: of calls that don’t fail, only functions that ask for samples keep some.'
          : 'They were not kept: the function is set to keep nothing, or the call ended before it had begun.'}
      </p>
      <p className="soft">From the next version on, failing calls and some of the others are kept with:</p>
      <CodeBlock text={`hearth deploy . --name ${of.function} --capture sampled`} wrap />
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
    (values ?? []).map((v) => [name, v] as const),
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
