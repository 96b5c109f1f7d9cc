import { PageHeader } from '../../components/PageHeader';
import { toLogCommand, toLogPath } from './filters';
import { LogView, useLogFilters } from './LogView';

export default function LogsScreen() {
  const [filters] = useLogFilters();
  return (
    <>
      <PageHeader
        title="Logs"
        about="What functions write, as they do"
        cli={toLogCommand(filters)}
        curl={toLogPath(filters)}
      />
      <LogView />
    </>
  );
}
