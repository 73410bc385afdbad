// A certified OpenID Connect provider on loopback. Whoever signs in is who they say they are; claims come from the settings.
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const issuer = `http://localhost:${settings.port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      redirect_uris: [settings.redirect_uri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
  pkce: { required: () => true },
  claims: { openid: ['sub', 'org', 'groups', 'project'], email: ['email'], profile: ['name'] },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, name: `Person ${id.length}`, ...(settings.claims[id] ?? {}) }),
  }),
  features: { devInteractions: { enabled: true } },
  cookies: { keys: ['a key for tests only'] },
});

const answer = provider.callback();
/** What came in so far. */
const requests = [];
let failing = false;

/** What tests ask for, beside the protocol. */
const controls = {
  'GET /-/requests': () => requests,
  'PUT /-/failing': () => (failing = true),
  'DELETE /-/failing': () => (failing = false),
};

const server = createServer((request, response) => {
  const line = `${request.method} ${request.url.split('?')[0]}`;
  if (line in controls) {
    response.end(JSON.stringify(controls[line]()));
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
