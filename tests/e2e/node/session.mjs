// A client of a library, and the person at it.
import { createHash, randomUUID, webcrypto } from 'node:crypto';

import { signIn } from './browser.mjs';

/** Nothing listens there: the walk through the pages ends before. */
const REDIRECT = 'http://127.0.0.1:33418/callback';

export class Session {
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
      ...input.metadata,
    };
    const key = input.method === 'private_key_jwt' ? await keyPair() : undefined;
    if (key) metadata.jwks = { keys: [key.jwk] };
    const dpop = input.dpop ? await library.keyPair() : undefined;
    return new Session(library, input, await library.registered(input.issuer, metadata, { key, dpop }));
  }

  /** With a client that the operator registered. */
  static async existing(library, input) {
    const { key, ...metadata } = input.client;
    const keys = { key: key && (await importedKey(key)) };
    return new Session(library, input, await library.existing(input.issuer, metadata, keys));
  }

  /** Calls the service with a token: what it answers, or how it refuses. */
  async called(client, token) {
    const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const answer = await client.call(this.input.resource, token, { headers, body });
    return { status: answer.status, tools: (await answer.json()).result?.tools.length };
  }

  /** Sends the person to sign in, and redeems the code. */
  async signedIn(person = {}, parameters = {}) {
    const { arrived, checks } = await this.authorized(person, parameters);
    return this.client.redeem(arrived, checks);
  }

  /** Sends the person to sign in; gives where they came back to, and what must be checked there. */
  async authorized(person = {}, parameters = {}) {
    const checks = { verifier: this.library.verifier(), state: randomUUID() };
    const asked = {
      redirect_uri: REDIRECT,
      code_challenge: await this.library.challenge(checks.verifier),
      code_challenge_method: 'S256',
      state: checks.state,
      resource: this.input.resource,
      ...parameters,
    };
    this.sent = await (this.input.pushed ? this.client.pushedUrl(asked) : this.client.authorizationUrl(asked));
    const arrived = await signIn(this.sent, REDIRECT, { ...this.input.person, ...person });
    return { arrived, checks: { ...checks, redirect: REDIRECT, resource: this.input.resource } };
  }
}

/** A key to authenticate with: the private half for the library, the public half to register. */
async function keyPair() {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const { privateKey, publicKey } = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', publicKey);
  const kid = randomUUID();
  return { key: privateKey, kid, jwk: { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } };
}

/** The private half of a key that the operator registered. */
async function importedKey({ pkcs8, kid }) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const bytes = Buffer.from(pkcs8, 'base64');
  return { key: await webcrypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign']), kid };
}

/** Tokens, with what is in the access token and without what must be kept secret. */
export function shown({ access_token: access, refresh_token: refresh, ...others }) {
  const claims = JSON.parse(Buffer.from(access.split('.')[1], 'base64url'));
  return { ...others, claims, refresh: refresh && createHash('sha256').update(refresh).digest('hex') };
}

/** What a library's user learns of a refusal. */
export async function failure(promise) {
  try {
    await promise;
    return { error: 'none: it was accepted' };
  } catch (error) {
    const { name, code, status, error: answered, error_description: description, message, cause } = error;
    const challenges = Array.isArray(cause) ? cause.map(({ scheme, parameters }) => ({ scheme, ...parameters })) : undefined;
    return { name, code, status, error: answered, description, message, challenges };
  }
}
