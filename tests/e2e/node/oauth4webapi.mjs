// A certified client for those who send each request themselves.
import * as oauth from 'oauth4webapi';

import { main } from './flows.mjs';

/** The server is on loopback, without TLS. */
const INSECURE = { [oauth.allowInsecureRequests]: true };

const AUTHENTICATIONS = {
  none: () => oauth.None(),
  client_secret_basic: ({ client_secret: secret }) => oauth.ClientSecretBasic(secret),
  client_secret_post: ({ client_secret: secret }) => oauth.ClientSecretPost(secret),
  private_key_jwt: (_, key) => oauth.PrivateKeyJwt(key),
};

async function discover(issuer, algorithm = 'oauth2') {
  const url = new URL(issuer);
  const answer = await oauth.discoveryRequest(url, { algorithm, ...INSECURE });
  return oauth.processDiscoveryResponse(url, answer);
}

class Client {
  constructor(server, metadata, { key, dpop }) {
    this.server = server;
    this.metadata = metadata;
    this.key = key;
    const authentication = AUTHENTICATIONS[metadata.token_endpoint_auth_method](metadata, key);
    this.party = [server, metadata, authentication];
    this.options = { ...INSECURE, DPoP: dpop && oauth.DPoP(metadata, dpop) };
  }

  /** The same client with another key to bind tokens to, or with none. */
  rebound(dpop) {
    return new Client(this.server, this.metadata, { key: this.key, dpop });
  }

  authorizationUrl(parameters) {
    const url = new URL(this.server.authorization_endpoint);
    url.search = new URLSearchParams({ response_type: 'code', client_id: this.metadata.client_id, ...parameters });
    return url;
  }

  async pushedUrl(parameters) {
    const asked = { response_type: 'code', ...parameters };
    const { request_uri: uri } = await this.sent(
      () => oauth.pushedAuthorizationRequest(...this.party, asked, this.options),
      oauth.processPushedAuthorizationResponse,
    );
    const url = new URL(this.server.authorization_endpoint);
    url.search = new URLSearchParams({ client_id: this.metadata.client_id, request_uri: uri });
    return url;
  }

  async redeem(arrived, { verifier, state, redirect, resource }) {
    const answered = oauth.validateAuthResponse(this.server, this.metadata, arrived, state);
    const options = { ...this.options, additionalParameters: { resource } };
    const tokens = await this.sent(
      () => oauth.authorizationCodeGrantRequest(...this.party, answered, redirect, verifier, options),
      oauth.processAuthorizationCodeResponse,
    );
    if (!this.options.DPoP) await this.accept(tokens, resource);
    return tokens;
  }

  refresh(token, parameters = {}) {
    const options = { ...this.options, additionalParameters: parameters };
    return this.sent(
      () => oauth.refreshTokenGrantRequest(...this.party, token, options), oauth.processRefreshTokenResponse,
    );
  }

  async revoke(token) {
    await oauth.processRevocationResponse(await oauth.revocationRequest(...this.party, token, INSECURE));
  }

  introspect(token) {
    return this.sent(
      () => oauth.introspectionRequest(...this.party, token, INSECURE), oauth.processIntrospectionResponse,
    );
  }

  /** Asks for a code that a person types elsewhere. */
  device(parameters) {
    return this.sent(
      () => oauth.deviceAuthorizationRequest(...this.party, parameters, INSECURE),
      oauth.processDeviceAuthorizationResponse,
    );
  }

  /** Asks for tokens, once. */
  poll({ device_code: code }) {
    return this.sent(
      () => oauth.deviceCodeGrantRequest(...this.party, code, this.options), oauth.processDeviceCodeResponse,
    );
  }

  clientCredentials(parameters) {
    return this.sent(
      () => oauth.clientCredentialsGrantRequest(...this.party, parameters, this.options),
      oauth.processClientCredentialsResponse,
    );
  }

  grant(type, parameters) {
    return this.sent(
      () => oauth.genericTokenEndpointRequest(...this.party, type, parameters, this.options),
      oauth.processGenericTokenEndpointResponse,
    );
  }

  /** Calls a service. */
  call(url, token, { headers, body }) {
    const request = () => oauth.protectedResourceRequest(
      token, 'POST', new URL(url), new Headers(headers), body, this.options,
    );
    return this.sent(request, (server, metadata, answer) => answer);
  }

  /** Sends a request, and once more when it lacked the server's nonce. */
  async sent(request, process) {
    const [server, metadata] = this.party;
    try {
      return await process(server, metadata, await request());
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error;
      return process(server, metadata, await request());
    }
  }

  /** Judges the access token as a resource server would (RFC 9068). */
  async accept({ access_token: token }, resource) {
    const request = new Request(resource, { headers: { authorization: `Bearer ${token}` } });
    const audience = resource.replace(/\/mcp$/, '');
    await oauth.validateJwtAccessToken(this.server, request, audience, INSECURE);
  }
}

await main({
  discover,
  verifier: oauth.generateRandomCodeVerifier,
  challenge: oauth.calculatePKCECodeChallenge,
  keyPair: () => oauth.generateKeyPair('ES256'),
  async existing(issuer, metadata, keys) {
    return new Client(await discover(issuer), metadata, keys);
  },
  async registered(issuer, wanted, keys) {
    const server = await discover(issuer);
    const answer = await oauth.dynamicClientRegistrationRequest(server, wanted, INSECURE);
    return new Client(server, await oauth.processDynamicClientRegistrationResponse(answer), keys);
  },
});
