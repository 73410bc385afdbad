// A person at an MCP client: what the client asks them to keep, and the sign-in that it asks them for.
import { randomUUID } from 'node:crypto';

import { signIn } from './browser.mjs';

/** Nothing listens there: the walk through the pages ends before. */
const REDIRECT = 'http://127.0.0.1:33418/callback';

/** An `OAuthClientProvider` of either generation of the SDK. */
export class Person {
  constructor(credentials) {
    this.credentials = credentials;
    /** The authorization requests that the client sent the person with. */
    this.sentWith = [];
    /** What the client said was worthless. */
    this.invalidated = [];
  }

  get redirectUrl() {
    return REDIRECT;
  }

  get clientMetadata() {
    return {
      client_name: 'Test client',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() {
    this.expectedState = randomUUID();
    return this.expectedState;
  }

  clientInformation() {
    return this.client;
  }

  saveClientInformation(client) {
    this.client = client;
  }

  tokens() {
    return this.kept;
  }

  saveTokens(tokens) {
    this.kept = tokens;
  }

  codeVerifier() {
    return this.verifier;
  }

  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }

  discoveryState() {
    return this.discovered;
  }

  saveDiscoveryState(discovered) {
    this.discovered = discovered;
  }

  invalidateCredentials(scope) {
    this.invalidated.push(scope);
    if (scope === 'all' || scope === 'discovery') this.discovered = undefined;
    if (scope === 'all' || scope === 'tokens') this.kept = undefined;
    if (scope === 'all' || scope === 'client') this.client = undefined;
  }

  async redirectToAuthorization(url) {
    this.sentWith.push(Object.fromEntries(url.searchParams));
    this.arrived = await signIn(url, REDIRECT, this.credentials);
    const state = this.arrived.searchParams.get('state');
    if (state !== this.expectedState) throw new Error(`the state came back as ${state}`);
  }

  /** Makes the access token one that nobody signed. */
  spoilAccessToken() {
    const [header, claims, signature] = this.kept.access_token.split('.');
    const spoiled = (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1);
    this.kept = { ...this.kept, access_token: [header, claims, spoiled].join('.') };
  }
}
