import { Anchor } from '@mantine/core';
import { Link } from 'wouter';
import { PageHeader } from '../../components/PageHeader';
import { useScreenHref } from '../../hooks/useScreenHref';
import { InvocationDetail, titleOf, useInvocation } from './InvocationDetail';

/** A call at its own address. */
export default function InvocationScreen({ params }: { params: Record<string, string> }) {
  const id = params.id ?? '';
  const href = useScreenHref();
  const { data } = useInvocation(id);
  return (
    <>
      <PageHeader
        title={titleOf(data)}
        about={
          <Anchor
            component={Link}
            href={href('/invocations', data ? { function: data.function } : undefined)}
          >
            All invocations
          </Anchor>
        }
        cli={`hearth invocations get ${id}`}
        curl={`/api/v1/invocations/${id}`}
      />
      <InvocationDetail id={id} />
    </>
  );
}
