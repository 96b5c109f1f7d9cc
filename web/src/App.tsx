import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Router } from 'wouter';
import { whenSignedOut } from './api/client';
import { asProblem } from './api/problem';
import { useLeaving, useSession } from './api/session';
import { ErrorState } from './components/states';
import { LiveProvider } from './live/context';
import { nonce } from './nonce';
import { SignInScreen } from './screens/sign-in/SignInScreen';
import { Shell } from './shell/Shell';
import { theme } from './theme/theme';

function makeQueryClient() {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (count, error) => count < 2 && asProblem(error).passing,
        refetchOnWindowFocus: true,
      },
    },
  });
}

export function App() {
  const [queries] = useState(makeQueryClient);
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={nonce}>
      <QueryClientProvider client={queries}>
        <Router base="/ui">
          <Notifications position="bottom-right" limit={4} />
          <Door />
        </Router>
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** The sign-in for nobody, the shell for somebody. */
function Door() {
  const session = useSession();
  useEffect(() => whenSignedOut(() => void session.refetch()), [session.refetch]);
  const leaving = useLeaving();
  if (session.isPending || leaving) return null;
  if (session.data === undefined)
    return (
      <main style={{ maxWidth: '40rem', margin: '15vh auto', padding: '0 1rem' }}>
        <ErrorState error={session.error} retry={() => void session.refetch()} />
      </main>
    );
  if (session.data === null) return <SignInScreen />;
  return (
    <LiveProvider>
      <Shell identity={session.data} />
    </LiveProvider>
  );
}
