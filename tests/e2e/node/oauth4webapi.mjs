// A certified client for those who send each request themselves.
import * as oauth from 'oauth4webapi';

import { main } from './oauth.mjs';

/** The server is on loopback, without TLS. */
const INSECURE = { [oauth.allowInsecureRequests]: true };

const AUTHENTICATIONS = {
  none: () => oauth.None(),
  client_secret_basic: ({ client_secret: secret }) => oauth.ClientSecretBasic(secret),
  client_secret_post: ({ client_secret: secret }) => oauth.ClientSecretPost(secret),
};

async function discover(issuer, algorithm = 'oauth2') {
  const url = new URL(issuer);
  const answer = await oauth.discoveryRequest(url, { algorithm, ...INSECURE });
  return oauth.processDiscoveryResponse(url, answer);
}

class Client {
  constructor(server, metadata) {
    this.server = server;
    this.metadata = metadata;
    this.authentication = AUTHENTICATIONS[metadata.token_endpoint_auth_method](metadata);
  }

  authorizationUrl(parameters) {
    const url = new URL(this.server.authorization_endpoint);
    url.search = new URLSearchParams({ response_type: 'code', client_id: this.metadata.client_id, ...parameters });
    return url;
  }

  async redeem(arrived, { verifier, state, redirect, resource }) {
    const { server, metadata, authentication } = this;
    const answered = oauth.validateAuthResponse(server, metadata, arrived, state);
    const options = { additionalParameters: { resource }, ...INSECURE };
    const answer = await oauth.authorizationCodeGrantRequest(
      server, metadata, authentication, answered, redirect, verifier, options,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, metadata, answer);
    await this.accept(tokens, resource);
    return tokens;
  }

  async refresh(token, parameters = {}) {
    const { server, metadata, authentication } = this;
    const options = { additionalParameters: parameters, ...INSECURE };
    const answer = await oauth.refreshTokenGrantRequest(server, metadata, authentication, token, options);
    return oauth.processRefreshTokenResponse(server, metadata, answer);
  }

  async revoke(token) {
    const { server, metadata, authentication } = this;
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, metadata, authentication, token, INSECURE),
    );
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
  async registered(issuer, wanted) {
    const server = await discover(issuer);
    const answer = await oauth.dynamicClientRegistrationRequest(server, wanted, INSECURE);
    return new Client(server, await oauth.processDynamicClientRegistrationResponse(answer));
  },
});
