// A certified client for those who want the requests sent and judged for them.
import * as client from 'openid-client';

import { main } from './flows.mjs';

/** The server is on loopback, without TLS; it is found as an authorization server. */
const OPTIONS = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] };

const AUTHENTICATIONS = {
  none: client.None,
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
  private_key_jwt: (_, key) => client.PrivateKeyJwt(key),
};

class Client {
  constructor(config, { dpop }) {
    this.config = config;
    this.options = { DPoP: dpop && client.getDPoPHandle(config, dpop) };
  }

  get metadata() {
    return this.config.clientMetadata();
  }

  /** The same client with another key to bind tokens to, or with none. */
  rebound(dpop) {
    return new Client(this.config, { dpop });
  }

  authorizationUrl(parameters) {
    return client.buildAuthorizationUrl(this.config, parameters);
  }

  pushedUrl(parameters) {
    return client.buildAuthorizationUrlWithPAR(this.config, parameters, this.options);
  }

  redeem(arrived, { verifier, state, resource }) {
    const checks = { pkceCodeVerifier: verifier, expectedState: state };
    return client.authorizationCodeGrant(this.config, arrived, checks, { resource }, this.options);
  }

  refresh(token, parameters) {
    return client.refreshTokenGrant(this.config, token, parameters, this.options);
  }

  revoke(token) {
    return client.tokenRevocation(this.config, token);
  }

  introspect(token) {
    return client.tokenIntrospection(this.config, token);
  }

  device(parameters) {
    return client.initiateDeviceAuthorization(this.config, parameters);
  }

  /** Asks for tokens until there are some. */
  poll(asked) {
    return client.pollDeviceAuthorizationGrant(this.config, asked, undefined, this.options);
  }

  clientCredentials(parameters) {
    return client.clientCredentialsGrant(this.config, parameters, this.options);
  }

  grant(type, parameters) {
    return client.genericGrantRequest(this.config, type, parameters, this.options);
  }

  /** Calls a service. */
  call(url, token, { headers, body }) {
    return client.fetchProtectedResource(
      this.config, token, new URL(url), 'POST', body, new Headers(headers), this.options,
    );
  }
}

await main({
  async discover(issuer, algorithm) {
    const config = await client.discovery(new URL(issuer), 'nobody', {}, client.None(), { ...OPTIONS, algorithm });
    return config.serverMetadata();
  },
  verifier: client.randomPKCECodeVerifier,
  challenge: client.calculatePKCECodeChallenge,
  keyPair: () => client.randomDPoPKeyPair('ES256'),
  async existing(issuer, metadata, keys) {
    const { client_id: id, token_endpoint_auth_method: method, client_secret: secret } = metadata;
    const authentication = AUTHENTICATIONS[method](secret, keys.key);
    return new Client(await client.discovery(new URL(issuer), id, metadata, authentication, OPTIONS), keys);
  },
  async registered(issuer, wanted, keys) {
    const authentication = AUTHENTICATIONS[wanted.token_endpoint_auth_method](undefined, keys.key);
    const config = await client.dynamicClientRegistration(new URL(issuer), wanted, authentication, OPTIONS);
    return new Client(config, keys);
  },
});
