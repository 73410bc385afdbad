// The ways that people walk through the pages.
import { createHash } from 'node:crypto';

const VERIFIER = 'a-verifier-of-no-client-that-matters-to-anybody';

async function register({ issuer, redirect }, metadata = {}) {
  const body = JSON.stringify({ client_name: 'Test client', redirect_uris: [redirect], ...metadata });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${issuer}/register`, { method: 'POST', headers, body });
  return (await answer.json()).client_id;
}

/** Registers a client, and gives the URL that it sends a person to. */
async function authorization(input, parameters = {}) {
  const { issuer, resource, redirect } = input;
  const client = await register(input);
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

/** Registers a client, and gives the code that it shows a person. */
async function deviceCode(input) {
  const grants = ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'];
  const client = await register(input, { grant_types: grants });
  const body = new URLSearchParams({ client_id: client, resource: input.resource });
  const answer = await fetch(`${input.issuer}/device_authorization`, { method: 'POST', body });
  return answer.json();
}

const ALLOW = 'button[value="allow"]';
const CANCEL = 'button[value="cancel"]';

async function signIn(visitor) {
  await visitor.type('#username', visitor.person.username);
  await visitor.type('#password', visitor.person.password);
  await visitor.press('button[value="sign-in"]');
}

export const WALKS = {
  /** Consent, a mistake, and in. */
  async signIn(visitor, input) {
    await visitor.open(await authorization(input));
    await visitor.see('consent');
    await visitor.press(ALLOW);
    await visitor.see('sign-in');
    await visitor.type('#username', visitor.person.username);
    await visitor.type('#password', 'a wrong password');
    await visitor.press('button[value="sign-in"]');
    await visitor.see('sign-in-failed');
    await signIn(visitor);
  },

  /** A second thought at each page that has a way out. */
  async cancel(visitor, input) {
    await visitor.open(await authorization(input));
    await visitor.press(CANCEL);
    await visitor.open(await authorization(input));
    await visitor.press(ALLOW);
    await visitor.press(CANCEL);
  },

  /** A device that is let in, after a code that is wrong, and one that is not. */
  async device(visitor, input) {
    const asked = await deviceCode(input);
    await visitor.open(asked.verification_uri);
    await visitor.see('device');
    await visitor.type('#user_code', 'BBBB-BBBB');
    await visitor.press('button[value="continue"]');
    await visitor.see('device-failed');
    await visitor.type('#user_code', asked.user_code);
    await visitor.press('button[value="continue"]');
    await visitor.see('device-consent');
    await visitor.press(ALLOW);
    await signIn(visitor);
    await visitor.see('device-connected');
    const other = await deviceCode(input);
    await visitor.open(other.verification_uri_complete);
    await visitor.press(CANCEL);
    await visitor.see('device-refused');
  },

  /** Their account: what is connected, one of it disconnected, everything disconnected, and out. */
  async account(visitor, input) {
    for (const _ of ['one', 'another', 'a third']) {
      await visitor.open(await authorization(input));
      await visitor.press(ALLOW);
      await signIn(visitor);
    }
    await visitor.open(`${input.issuer}/account`);
    await visitor.see('account-sign-in');
    await signIn(visitor);
    await visitor.see('account');
    await visitor.press('button[value="disconnect"]');
    await visitor.see('account-disconnected');
    await visitor.press('summary', 'button[value="disconnect-all"]');
    await visitor.see('account-empty');
    await visitor.press('button[value="sign-out"]');
    await visitor.see('signed-out');
  },

  /** A token for a program that cannot sign anybody in. */
  async portal(visitor, input) {
    await visitor.open(`${input.issuer}/portal`);
    await signIn(visitor);
    await visitor.see('portal');
    await visitor.press('button[value="take"]');
    await visitor.see('portal-token');
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
