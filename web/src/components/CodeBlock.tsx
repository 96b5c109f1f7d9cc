import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import classes from './CodeBlock.module.css';

export function CopyIcon({ value, label = 'Copy' }: { value: string; label?: string }) {
  return (
    <CopyButton value={value} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : label}>
          <ActionIcon aria-label={label} onClick={copy} size="md">
            {copied ? <IconCheck size={16} color="var(--h-good)" /> : <IconCopy size={16} stroke={1.6} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** Text as it is, with a button that copies it. */
export function CodeBlock({
  text,
  label = 'Copy',
  wrap = false,
}: {
  text: string;
  label?: string;
  wrap?: boolean;
}) {
  return (
    <div className={`${classes.block} ${wrap ? classes.wrap : ''}`}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>{text}</pre>
      <div className={classes.copy}>
        <CopyIcon value={text} label={label} />
      </div>
    </div>
  );
}
