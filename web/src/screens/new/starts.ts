import { type DeployConfig, filesOf, type Template } from '../../api/deploy';
import { inputOf, type TestEvent } from '../../api/testEvents';
import { type Workspace, workspaceOf } from '../../code/workspace';
import type { TestInput } from '../../test/run';

/** What a new function begins as. */
export interface Start {
  id: string;
  title: string;
  about: string;
  /** python, nodejs; "" if it isn't known. */
  language: string;
  /** Why it can't run on this host. */
  missing?: string;
  suggestion: string;
  workspace: Workspace;
  config: DeployConfig;
  event?: { name: string; input: TestInput; kept: TestEvent };
}

/** A workspace of which nothing is deployed yet. */
const fresh = (files: Parameters<typeof workspaceOf>[0]): Workspace => ({
  ...workspaceOf(files),
  deployed: new Map(),
});

const python = `def handler(event, context):
    name = event.get("name", "world")
    print("greeting", name)
    return {"hello": name}
`;

const node = `export const handler = async (event, context) => {
  const { name = 'world' } = event;
  console.log('greeting', name);
  return { hello: name };
};
`;

export const blanks: Start[] = [
  {
    id: 'blank-python',
    title: 'Blank Python',
    about: 'A handler of four lines.',
    language: 'python',
    suggestion: 'my-function',
    workspace: fresh([{ path: 'main.py', text: python }]),
    config: { runtime: 'python' },
  },
  {
    id: 'blank-node',
    title: 'Blank JavaScript',
    about: 'An async handler of five lines.',
    language: 'nodejs',
    suggestion: 'my-function',
    workspace: fresh([{ path: 'index.mjs', text: node }]),
    config: { runtime: 'nodejs' },
  },
];

export function startOf(t: Template): Start {
  return {
    id: t.name,
    title: t.title,
    about: t.description,
    language: t.language,
    missing: t.runtime ? undefined : `This host has no ${t.language}.`,
    suggestion: t.name,
    workspace: fresh(filesOf(t)),
    config: t.config,
    event: t.event?.name ? { name: t.event.name, input: inputOf(t.event), kept: t.event } : undefined,
  };
}

/** Files that a person dropped. */
export function startOfFiles(files: Parameters<typeof workspaceOf>[0], suggestion = 'my-function'): Start {
  return {
    id: 'files',
    title: 'Your files',
    about: '',
    language: '',
    suggestion,
    workspace: fresh(files),
    config: {},
  };
}

export const languageName = (language: string) =>
  ({ python: 'Python', nodejs: 'JavaScript' })[language] ?? language;
