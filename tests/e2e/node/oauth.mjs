// What every OAuth client library is led through; what happened is printed as one line of JSON, for the tests to judge.
import { createHash, randomUUID } from 'node:crypto';

import { signIn } from './browser.mjs';

/** Nothing listens there: the walk through the pages ends before. */
const REDIRECT = 'http://127.0.0.1:33418/callback';

/**
 * Leads a library through the flow that the arguments name. A library has `discover`, `registered` and the requests of
 * `Session`; it throws what its users would see.
 */
export async function main(library) {
  const input = JSON.parse(process.argv[2]);
  console.log(JSON.stringify(await FLOWS[input.flow](library, input)));
}

const FLOWS = {
  /** Both documents. */
  async discovery(library, { issuer }) {
    return { oauth2: await library.discover(issuer, 'oauth2'), oidc: await library.discover(issuer, 'oidc') };
  },

  /** A code and its tokens, a refresh, and the end of both. */
  async code(library, input) {
    const session = await Session.registered(library, input);
    const first = await session.signedIn();
    const second = await session.client.refresh(first.refresh_token, { resource: input.resource });
    const report = { client: session.client.metadata, sent: Object.fromEntries(session.sent.searchParams) };
    Object.assign(report, { first: shown(first), second: shown(second) });
    await session.client.revoke(second.refresh_token);
    report.revoked = await failure(session.client.refresh(second.refresh_token));
    await session.client.revoke('never issued');
    return report;
  },

  /** What a library makes of a refusal. */
  async refusals(library, input) {
    const session = await Session.registered(library, input);
    const cancelled = await failure(session.signedIn({ decision: 'cancel' }));
    const scope = await failure(session.signedIn({}, { scope: 'everything' }));
    const { arrived, checks } = await session.authorized();
    const other = { ...checks, verifier: library.verifier() };
    const verifier = await failure(session.client.redeem(arrived, other));
    const tokens = await session.client.redeem(arrived, checks);
    const replayed = await failure(session.client.redeem(arrived, checks));
    const state = await failure(session.client.redeem(arrived, { ...checks, state: randomUUID() }));
    const afterwards = await failure(session.client.refresh(tokens.refresh_token));
    return { cancelled, scope, verifier, replayed, state, afterwards };
  },
};

/** A client, and the person at it. */
class Session {
  constructor(library, input, client) {
    this.library = library;
    this.input = input;
    this.client = client;
  }

  /** With a client that was just registered, and authenticates as the arguments say. */
  static async registered(library, input) {
    const metadata = {
      client_name: 'Test client',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: input.method,
    };
    return new Session(library, input, await library.registered(input.issuer, metadata));
  }

  /** Sends the person to sign in, and redeems the code. */
  async signedIn(person = {}, parameters = {}) {
    const { arrived, checks } = await this.authorized(person, parameters);
    return this.client.redeem(arrived, checks);
  }

  /** Sends the person to sign in; gives where they came back to, and what must be checked there. */
  async authorized(person = {}, parameters = {}) {
    const checks = { verifier: this.library.verifier(), state: randomUUID() };
    this.sent = await this.client.authorizationUrl({
      redirect_uri: REDIRECT,
      code_challenge: await this.library.challenge(checks.verifier),
      code_challenge_method: 'S256',
      state: checks.state,
      resource: this.input.resource,
      ...parameters,
    });
    const arrived = await signIn(this.sent, REDIRECT, { ...this.input.person, ...person });
    return { arrived, checks: { ...checks, redirect: REDIRECT, resource: this.input.resource } };
  }
}

/** Tokens, with what is in the access token and without what must be kept secret. */
function shown({ access_token: access, refresh_token: refresh, ...others }) {
  const claims = JSON.parse(Buffer.from(access.split('.')[1], 'base64url'));
  return { ...others, claims, refresh: refresh && createHash('sha256').update(refresh).digest('hex') };
}

/** What a library's user learns of a refusal. */
async function failure(promise) {
  try {
    await promise;
    return { error: 'none: it was accepted' };
  } catch (error) {
    const { name, code, status, error: answered, error_description: description, message } = error;
    return { name, code, status, error: answered, description, message };
  }
}
