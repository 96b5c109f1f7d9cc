import { Button, Group } from '@mantine/core';
import { IconRepeat } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from 'wouter';
import { asProblem, fetchProblem, type Problem, problemOf } from '../../api/problem';
import { CodeBlock } from '../../components/CodeBlock';
import { formatSeconds } from '../../components/format';
import { OutcomeBadge } from '../../components/OutcomeBadge';
import { useScreenHref } from '../../hooks/useScreenHref';
import { prettyJSON } from './captured';
import classes from './InvocationDetail.module.css';

interface Replayed {
  id: string | null;
  status: number;
  body: string;
  seconds: number;
}

/** Calls the function once more with what was captured. */
export function useReplay(id: string) {
  const queries = useQueryClient();
  return useMutation<Replayed, Problem, boolean>({
    mutationFn: async (force) => {
      const start = performance.now();
      const path = `/api/v1/invocations/${encodeURIComponent(id)}/replay${force ? '?force=true' : ''}`;
      const reply = await fetch(path, { method: 'POST' }).catch((error) => {
        throw fetchProblem(error);
      });
      // The function's own reply may have any status.
      if (!reply.ok && /problem\+json/.test(reply.headers.get('Content-Type') ?? ''))
        throw await problemOf(reply);
      const body = await reply.text();
      return {
        id: reply.headers.get('X-Hearth-Invocation-Id'),
        status: reply.status,
        body: body.slice(0, 256 << 10),
        seconds: (performance.now() - start) / 1000,
      };
    },
    onSettled: () => void queries.invalidateQueries({ queryKey: ['invocations', 'one'] }),
  });
}

/** What came of a replay, with a way to the new call. */
export function ReplayResult({ replay }: { replay: ReturnType<typeof useReplay> }) {
  const href = useScreenHref();
  if (replay.isIdle || replay.isPending) return null;
  const problem = replay.error ? asProblem(replay.error) : null;
  const id = problem ? problem.invocation : replay.data?.id;
  const outcome = problem ? outcomeOf(problem) : 'ok';
  return (
    <section className={classes.replay} id="replayed" aria-live="polite">
      <Group gap="xs">
        <b>Replayed</b>
        {id && <OutcomeBadge outcome={outcome} />}
        {replay.data && (
          <span className="soft num">
            status {replay.data.status} · {formatSeconds(replay.data.seconds)}
          </span>
        )}
        {id && <Link href={href(`/invocations/${id}`)}>Open the new call</Link>}
      </Group>
      {problem ? (
        <>
          <p>
            {problem.errorType && <b>{problem.errorType}: </b>}
            {problem.message}
          </p>
          {problem.hint && <p className="soft">{problem.hint}</p>}
          {problem.status === 409 && (
            <Button
              variant="default"
              leftSection={<IconRepeat size={16} stroke={1.6} />}
              onClick={() => replay.mutate(true)}
            >
              Replay with what there is
            </Button>
          )}
        </>
      ) : (
        replay.data && (
          <CodeBlock text={prettyJSON(replay.data.body) ?? (replay.data.body || '(empty)')} wrap />
        )
      )}
    </section>
  );
}

/** The outcome that a problem's code stands for. */
function outcomeOf(problem: Problem): string {
  const code = problem.code.replace(/^function_/, '');
  return code === 'error' || code === 'reply' ? 'function_error' : code;
}
