// Libraries that make style sheets while they run must show the nonce of the page's policy.
import { setNonce } from 'get-nonce'; // what the locks of scrolling ask

/** The nonce of this page, which the server put into it. */
export function nonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[name=csp-nonce]')?.content ?? '';
}

export function applyNonce(): void {
  setNonce(nonce());
}
