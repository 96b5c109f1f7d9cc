import { ErrorGroups } from './ErrorGroups';

/** The errors of one function, as a tab of its page. */
export default function FunctionErrors({ params }: { params: Record<string, string> }) {
  return <ErrorGroups of={params.name} />;
}
