import { Alert } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { Problem } from '../api/problem';

/** Why a form's change was refused, and what helps. */
export function Trouble({ problem }: { problem: Problem }) {
  return (
    <Alert color="red" icon={<IconAlertTriangle size={18} />} title={problem.message} role="alert">
      {problem.hint} <span className="mono soft">{problem.code}</span>
    </Alert>
  );
}
