// A certified OpenID Connect provider on loopback. Whoever signs in is who they say they are; claims come from the settings.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const issuer = `http://localhost:${settings.port}`;

/** Whom the provider does not let in any more. */
const disabled = new Set();

/** With `strict`: one algorithm, refresh tokens that work once, and logout that reaches the client. */
const strict = settings.strict;

function signingKey(algorithm) {
  const [type, options] = algorithm === 'ES256' ? ['ec', { namedCurve: 'P-256' }] : ['rsa', { modulusLength: 2048 }];
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: algorithm };
}

const strictClient = strict && {
  grant_types: ['authorization_code', 'refresh_token'],
  id_token_signed_response_alg: strict.algorithm,
  backchannel_logout_uri: strict.backchannel_logout_uri,
  backchannel_logout_session_required: true,
};

const strictSettings = strict && {
  jwks: { keys: [signingKey(strict.algorithm)] },
  enabledJWA: { idTokenSigningAlgValues: [strict.algorithm] },
  clientAuthMethods: ['client_secret_basic'],
  conformIdTokenClaims: true,
  rotateRefreshToken: true,
};

/** The page that asks whether to sign out, with the button inside of its form. */
function askToSignOut(context, form) {
  context.body = form.replace('</form>', '<button name="logout" value="yes">Sign out</button></form>');
}

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      redirect_uris: [settings.redirect_uri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      ...strictClient,
    },
  ],
  pkce: { required: () => true },
  claims: { openid: ['sub', 'org', 'groups', 'project'], email: ['email'], profile: ['name'] },
  findAccount: async (_, id) =>
    disabled.has(id)
      ? undefined
      : {
          accountId: id,
          claims: async () => ({ sub: id, name: `Person ${id.length}`, ...(settings.claims[id] ?? {}) }),
        },
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: Boolean(strict) },
    rpInitiatedLogout: { logoutSource: askToSignOut },
  },
  // Its client is on loopback, where it would send nothing otherwise.
  fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }),
  cookies: { keys: ['a key for tests only'] },
  ...strictSettings,
});

/** What became of the logout tokens that were sent. */
const logouts = [];
provider.on('backchannel.success', () => logouts.push('accepted'));
provider.on('backchannel.error', (_, error) => logouts.push(error.message));

const answer = provider.callback();
/** What came in so far. */
const requests = [];
let failing = false;

/** What tests ask for, beside the protocol. */
const controls = {
  'GET /-/requests': () => requests,
  'GET /-/logouts': () => logouts,
  'PUT /-/failing': () => (failing = true),
  'DELETE /-/failing': () => (failing = false),
};

const server = createServer((request, response) => {
  const line = `${request.method} ${request.url.split('?')[0]}`;
  if (line in controls) {
    response.end(JSON.stringify(controls[line]()));
    return;
  }
  if (line.startsWith('PUT /-/disabled/')) {
    disabled.add(line.split('/').at(-1));
    response.end();
    return;
  }
  requests.push(line);
  if (failing) {
    response.writeHead(503).end();
    return;
  }
  answer(request, response);
});
server.listen(settings.port, '127.0.0.1', () => console.log(`listening at ${issuer}`));
