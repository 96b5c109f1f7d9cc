import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { gunzipSync } from 'fflate';
import { type SourceFile, untar, zip } from '../code/workspace';
import { changed } from './changed';
import { api, request, type Schemas, unwrap } from './client';
import type { Version } from './queries';

export type DeployConfig = Schemas['DeployConfig'];
export type Deployed = Schemas['Deployed'];
export type Template = Schemas['Template'];

/** Deploys code as a new version of a function, which is made if there is none. */
export function useDeploy(name: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({
      files,
      config,
    }: {
      files: SourceFile[];
      config: DeployConfig;
    }): Promise<Deployed> => {
      const form = new FormData();
      form.set('config', new Blob([JSON.stringify(config)], { type: 'application/json' }));
      form.set('code', new Blob([zip(files) as BlobPart]), 'code.zip');
      const reply = await request(`/api/v1/functions/${encodeURIComponent(name)}/versions`, {
        method: 'POST',
        body: form,
      });
      return reply.json();
    },
    onSuccess: () => changed(queries),
  });
}

/** The configuration of a version, so that a deploy of other code keeps it: what is left out gets defaults. */
export function configOf(v: Version, message?: string): DeployConfig {
  return {
    ...v.config,
    runtime: v.runtime,
    handler: v.handler,
    sandbox: v.sandbox,
    ...(message && { message }),
  };
}

/** Functions to start from. */
export function useTemplates() {
  return useQuery({
    queryKey: ['templates'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/templates', { signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The files of a template. */
export function filesOf(template: Template): SourceFile[] {
  return (template.files ?? []).map((f) => ({
    path: f.path,
    text: f.text ?? null,
    ...(f.base64 && { bytes: Uint8Array.from(atob(f.base64), (c) => c.charCodeAt(0)) }),
  }));
}

/** What of a version's code is kept in memory at most, in bytes. */
const editable = 5 << 20;

/** A version's code, and why it can't be edited here if so. */
export interface Source {
  files: SourceFile[];
  readOnly: string | null;
}

/** Reads the code of a version. Versions never change, so it is read once. */
export function useSource(name: string, version: Version | undefined) {
  return useQuery({
    queryKey: ['source', name, version?.number],
    enabled: !!version,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }): Promise<Source> => {
      const path = { name, number: version!.number };
      const listed = await unwrap(
        api.GET('/api/v1/functions/{name}/versions/{number}/files', { params: { path }, signal }),
      );
      const files: SourceFile[] = (listed.files ?? []).map((f) => ({
        path: f.path,
        text: f.text,
        executable: f.executable,
      }));
      const links = listed.files?.some((f) => f.link);
      const partly = listed.truncated || files.some((f) => f.text === null);
      if (version!.code_bytes > editable)
        return {
          files,
          readOnly: 'The code is too large to be edited here. Deploy it with the command line.',
        };
      if (links)
        return {
          files,
          readOnly:
            'The code holds symbolic links, which the editor would lose. Deploy it with the command line.',
        };
      if (!partly) return { files, readOnly: null };
      // Some files aren't text: the whole archive has their bytes, which a deploy must send again.
      const reply = await request(`/api/v1/functions/${name}/versions/${path.number}/code`, { signal });
      return { files: untar(gunzipSync(new Uint8Array(await reply.arrayBuffer()))), readOnly: null };
    },
  });
}
