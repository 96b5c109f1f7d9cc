import { LogView } from './LogView';

/** The output of one function, as a tab of its page. */
export default function FunctionLogs({ params }: { params: Record<string, string> }) {
  return <LogView of={params.name} />;
}
