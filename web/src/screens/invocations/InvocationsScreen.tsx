import { PageHeader } from '../../components/PageHeader';
import { InvocationList, listCommands, useFilters } from './InvocationList';

export default function InvocationsScreen() {
  const [filters] = useFilters();
  return (
    <>
      <PageHeader title="Invocations" about="Every call, as it ends" {...listCommands(filters)} />
      <InvocationList />
    </>
  );
}
