// The ways that people walk through the pages.
import { createHash } from 'node:crypto';

const VERIFIER = 'a-verifier-of-no-client-that-matters-to-anybody';

/** Registers a client, and gives the URL that it sends a person to. */
async function authorization({ issuer, resource, redirect }, parameters = {}) {
  const body = JSON.stringify({ client_name: 'Test client', redirect_uris: [redirect] });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${issuer}/register`, { method: 'POST', headers, body });
  const { client_id: client } = await answer.json();
  const url = new URL(`${issuer}/authorize`);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: client,
    redirect_uri: redirect,
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
    resource,
    state: 'a state',
    ...parameters,
  });
  return url.href;
}

const ALLOW = 'button[value="allow"]';
const CANCEL = 'button[value="cancel"]';

export const WALKS = {
  /** Consent, a mistake, and in. */
  async signIn(visitor, input) {
    await visitor.open(await authorization(input));
    await visitor.see('consent');
    await visitor.press(ALLOW);
    await visitor.see('sign-in');
    await visitor.type('#username', input.person.username);
    await visitor.type('#password', 'a wrong password');
    await visitor.press('button[value="sign-in"]');
    await visitor.see('sign-in-failed');
    await visitor.type('#password', input.person.password);
    await visitor.press('button[value="sign-in"]');
  },

  /** A second thought at each page that has a way out. */
  async cancel(visitor, input) {
    await visitor.open(await authorization(input));
    await visitor.press(CANCEL);
    await visitor.open(await authorization(input));
    await visitor.press(ALLOW);
    await visitor.press(CANCEL);
  },

  /** Several providers, of which one does not answer. */
  async chooser(visitor, input) {
    await visitor.open(await authorization(input));
    await visitor.press(ALLOW);
    await visitor.see('chooser');
    await visitor.press('button[value="idp"]');
    await visitor.see('error-provider-down');
  },

  /** A page that fails in every respect, so that whoever judges is seen to judge. */
  async broken(visitor, { redirect }) {
    await visitor.open(redirect.replace('/callback', '/broken'));
    await visitor.see('broken');
    await visitor.reach('button').catch((error) => visitor.complaints.push(error.message));
  },

  /** What somebody sees who follows a bad link. */
  async errors(visitor, input) {
    const { issuer } = input;
    await visitor.open(`${issuer}/authorize?client_id=nobody`);
    await visitor.see('error-unknown-client');
    await visitor.open(await authorization(input, { redirect_uri: 'https://evil.example/' }));
    await visitor.see('error-redirect');
    await visitor.open(`${issuer}/consent?interaction=over`);
    await visitor.see('error-over');
    await visitor.open(`${issuer}/callback/nobody?state=a.b&code=c`);
    await visitor.see('error-no-provider');
  },
};
