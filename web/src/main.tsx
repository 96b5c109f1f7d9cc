import 'virtual:mantine-styles';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './theme/tokens.css';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { applyNonce } from './nonce';

applyNonce();
createRoot(document.getElementById('root')!).render(<App />);
