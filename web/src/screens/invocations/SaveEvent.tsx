import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Schemas, unwrap } from '../../api/client';
import { asProblem } from '../../api/problem';
import { type Capture, textOf } from './captured';
import type { Invocation } from './filters';

/** The captured request as a call to keep with the function. */
export function toTestEvent(c: Capture): Schemas['PutTestEvent'] {
  const r = c.request;
  const text = textOf(r);
  if (!r.http) return { kind: 'json', body: text ?? '' };
  const redacted = new Set((r.redacted ?? []).map((x) => x.toLowerCase().replace(/^header /, '')));
  const headers = Object.entries(r.http.headers ?? {}).filter(
    ([name]) =>
      !redacted.has(name.toLowerCase()) && !/^(host|content-length|connection|accept-encoding)$/i.test(name),
  );
  return {
    kind: 'http',
    method: r.http.method,
    path: r.http.path + (r.http.raw_query ? `?${r.http.raw_query}` : ''),
    headers: Object.fromEntries(headers.map(([name, values]) => [name, (values ?? []).join(', ')])),
    body: text ?? r.body,
    ...(text === null ? { base64: true } : {}),
  };
}

/** Keeps the request of a call with its function, to test it again. */
export function SaveEvent({
  of,
  capture,
  opened,
  onClose,
}: {
  of: Invocation;
  capture: Capture;
  opened: boolean;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const [name, setName] = useState(of.outcome === 'ok' ? 'from-a-call' : of.outcome.replaceAll('_', '-'));
  const save = useMutation({
    mutationFn: () =>
      unwrap(
        api.PUT('/api/v1/functions/{name}/test-events/{event}', {
          params: { path: { name: of.function, event: name.trim() }, header: { 'If-None-Match': '*' } },
          body: toTestEvent(capture),
        }),
      ),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ['test-events'] });
      notifications.show({ message: `Kept as “${name.trim()}” with ${of.function}` });
      onClose();
    },
  });
  const problem = save.error && asProblem(save.error);
  return (
    <Modal opened={opened} onClose={onClose} title="Save as test event" size="sm">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) save.mutate();
        }}
      >
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            Everybody who sees {of.function} sees its test events.
          </Text>
          <TextInput
            label="Name"
            data-autofocus
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
            error={
              problem && (problem.status === 412 ? 'There is one by that name already' : problem.message)
            }
          />
          {capture.request.truncated && (
            <Text size="sm" c="dimmed">
              Only the beginning of the request was kept: mend the body before you use it.
            </Text>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!name.trim()}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
