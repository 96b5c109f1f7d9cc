import { Alert, Button, PasswordInput, Stack } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconClockOff } from '@tabler/icons-react';
import { useState } from 'react';
import { asProblem } from '../../api/problem';
import { useSignIn } from '../../api/session';
import { CodeBlock } from '../../components/CodeBlock';
import { Logo } from '../../shell/Logo';
import classes from './SignInScreen.module.css';

/** The server leads here with #link-ended when a sign-in link was used before, or is too old. */
function takeEnded(): boolean {
  if (location.hash !== '#link-ended') return false;
  history.replaceState(null, '', location.pathname + location.search);
  return true;
}

export function SignInScreen() {
  useDocumentTitle('Sign in · Hearth');
  const [ended] = useState(takeEnded);
  const [key, setKey] = useState('');
  const signIn = useSignIn();
  const problem = signIn.error ? asProblem(signIn.error) : null;
  const refused = problem?.status === 401;
  return (
    <main className={classes.page}>
      <div className={classes.card} id="sign-in">
        <Logo size={40} />
        <h1 className={classes.title}>Sign in to Hearth</h1>
        {ended && !problem && (
          <Alert
            color="yellow"
            icon={<IconClockOff size={18} />}
            title="That link has ended"
            my="md"
            id="trouble"
          >
            It was used already, or is older than ten minutes. Make another as below.
          </Alert>
        )}
        <p className={classes.soft}>On the server’s own machine, this opens the dashboard signed in:</p>
        <CodeBlock text="hearth open" label="Copy the command" />
        <div className={classes.or}>or with an API key</div>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (key.trim()) signIn.mutate(key.trim());
          }}
        >
          <Stack gap="sm">
            <PasswordInput
              label="API key"
              id="key"
              value={key}
              onChange={(event) => setKey(event.currentTarget.value)}
              autoComplete="current-password"
              placeholder="hk_…"
              autoFocus
              error={
                problem &&
                (refused
                  ? 'That key isn’t known, or has expired.'
                  : [problem.message, problem.hint].filter(Boolean).join(' — '))
              }
            />
            <Button type="submit" fullWidth loading={signIn.isPending}>
              Sign in
            </Button>
          </Stack>
        </form>
      </div>
    </main>
  );
}
