// A certified OpenID Connect provider on loopback. Whoever signs in is who they say they are; claims come from the settings.
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

provider.listen(settings.port, '127.0.0.1', () => console.log(`listening at ${issuer}`));
