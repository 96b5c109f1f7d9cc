import { TextInput, type TextInputProps } from '@mantine/core';
import { type Ref, useEffect, useEffectEvent, useState } from 'react';

interface LazyInputProps extends Omit<TextInputProps, 'value' | 'onChange'> {
  value: string;
  /** Called when the user has stopped typing, and at once with Enter. */
  onCommit: (value: string) => void;
  ref?: Ref<HTMLInputElement>;
}

const pause = 350; // ms

/** A field whose value is used once the user has stopped typing. */
export function LazyInput({ value, onCommit, ...rest }: LazyInputProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const commit = useEffectEvent((t: string) => {
    if (t.trim() !== value) onCommit(t.trim());
  });
  useEffect(() => {
    const timer = setTimeout(() => commit(text), pause);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <TextInput
      {...rest}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') onCommit(text.trim());
        if (event.key === 'Escape') event.currentTarget.blur();
      }}
    />
  );
}
