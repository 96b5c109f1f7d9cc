import { PageHeader } from '../../components/PageHeader';
import { ErrorGroups } from './ErrorGroups';

export default function ErrorsScreen() {
  return (
    <>
      <PageHeader
        title="Errors"
        about="What fails, with those alike in one group"
        cli="hearth invocations --failed"
        curl="/api/v1/errors"
      />
      <ErrorGroups />
    </>
  );
}
