import { Skeleton } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { EditorProps } from './Editor';

const Editor = lazy(() => import('./Editor'));

/** The editor, whose code comes when it is shown. */
export function LazyEditor(props: EditorProps) {
  return (
    <Suspense fallback={<Skeleton height="100%" radius={0} />}>
      <Editor {...props} />
    </Suspense>
  );
}
