// A certified client for those who want the requests sent and judged for them.
import * as client from 'openid-client';

import { main } from './oauth.mjs';

/** The server is on loopback, without TLS; it is found as an authorization server. */
const OPTIONS = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] };

const AUTHENTICATIONS = {
  none: client.None,
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
};

class Client {
  constructor(config) {
    this.config = config;
  }

  get metadata() {
    return this.config.clientMetadata();
  }

  authorizationUrl(parameters) {
    return client.buildAuthorizationUrl(this.config, parameters);
  }

  redeem(arrived, { verifier, state, resource }) {
    const checks = { pkceCodeVerifier: verifier, expectedState: state };
    return client.authorizationCodeGrant(this.config, arrived, checks, { resource });
  }

  refresh(token, parameters) {
    return client.refreshTokenGrant(this.config, token, parameters);
  }

  revoke(token) {
    return client.tokenRevocation(this.config, token);
  }
}

await main({
  async discover(issuer, algorithm) {
    const config = await client.discovery(new URL(issuer), 'nobody', {}, client.None(), { ...OPTIONS, algorithm });
    return config.serverMetadata();
  },
  verifier: client.randomPKCECodeVerifier,
  challenge: client.calculatePKCECodeChallenge,
  async registered(issuer, wanted) {
    const authentication = AUTHENTICATIONS[wanted.token_endpoint_auth_method]();
    return new Client(await client.dynamicClientRegistration(new URL(issuer), wanted, authentication, OPTIONS));
  },
});
