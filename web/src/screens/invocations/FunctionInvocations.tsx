import { InvocationList } from './InvocationList';

/** The invocations of one function, as a tab of its page. */
export default function FunctionInvocations({ params }: { params: Record<string, string> }) {
  return <InvocationList of={params.name} />;
}
