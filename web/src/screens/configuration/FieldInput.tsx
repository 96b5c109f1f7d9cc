import { ActionIcon, Select, TextInput, Tooltip } from '@mantine/core';
import { IconRestore } from '@tabler/icons-react';
import { useId } from 'react';
import classes from './Configuration.module.css';
import { type Bounds, type Defaults, type Field, sameValue, withUnit } from './fields';

interface FieldInputProps {
  field: Field;
  value: string;
  /** The value that the server has. */
  saved: string;
  onChange: (value: string) => void;
  bounds: Bounds;
  defaults: Defaults;
  readOnly: boolean;
  error?: string;
  choices?: { value: string; label: string; disabled?: boolean }[];
}

const order: ('label' | 'input' | 'error' | 'description')[] = ['label', 'input', 'error', 'description'];

/** A setting: its value, where that comes from, and what it may be. */
export function FieldInput(props: FieldInputProps) {
  const { field, value, saved, onChange, bounds, defaults, readOnly, error } = props;
  const id = useId();
  const usual = field.usual?.(defaults);
  const range = field.range?.(bounds);
  const changed = !(value === saved || sameValue(field, value, saved));
  const effective = value.trim() === '' ? (usual ?? '') : value.trim();
  const isUsual = usual !== undefined && sameValue(field, effective, usual);
  const common = {
    id,
    value,
    readOnly,
    error,
    inputWrapperOrder: order,
    label: (
      <span className={classes.label}>
        {field.label}
        {field.unit && <span className="soft"> in {field.unit}</span>}
      </span>
    ),
    description: (
      <>
        {field.about}
        {range && (
          <>
            {' '}
            <span className="num">
              {range.min} to {range.max}.
            </span>
          </>
        )}
      </>
    ),
  };
  return (
    <div className={classes.field} data-field={field.key} data-changed={changed || undefined}>
      {field.kind === 'choice' ? (
        <Select
          {...common}
          data={props.choices ?? field.choices ?? []}
          onChange={(v) => v !== null && onChange(v)}
          allowDeselect={false}
        />
      ) : (
        <TextInput
          {...common}
          onChange={(event) => onChange(event.currentTarget.value)}
          placeholder={usual}
          inputMode={field.kind === 'whole' ? 'numeric' : field.kind === 'number' ? 'decimal' : undefined}
          autoComplete="off"
          spellCheck={false}
        />
      )}
      <div className={classes.source}>
        <Source field={field} effective={effective} isUsual={isUsual} defaults={defaults} />
        {!readOnly && usual !== undefined && !isUsual && (
          <Tooltip label={`Back to the default: ${withUnit(field, usual)}`}>
            <ActionIcon
              size="sm"
              aria-label={`${field.label}: back to the default, ${withUnit(field, usual)}`}
              onClick={() => onChange(usual)}
            >
              <IconRestore size={15} stroke={1.7} />
            </ActionIcon>
          </Tooltip>
        )}
        {changed && <span className={classes.was}>was {withUnit(field, saved)}</span>}
      </div>
    </div>
  );
}

/** Where the value that holds comes from. */
function Source({
  field,
  effective,
  isUsual,
  defaults,
}: {
  field: Field;
  effective: string;
  isUsual: boolean;
  defaults: Defaults;
}) {
  if (field.server !== undefined && sameValue(field, effective, field.server))
    return (
      <span title="Set where the server is configured">
        server: {field.key === 'keep_alive' ? defaults.keep_alive : 'its limits'}
      </span>
    );
  if (field.usual === undefined) return <span>set</span>;
  return isUsual ? <span>default</span> : <span className={classes.set}>set</span>;
}
