// The second generation of the TypeScript SDK, in the era that the arguments name.
import {
  Client, StreamableHTTPClientTransport, UnauthorizedError, discoverAuthorizationServerMetadata, refreshAuthorization,
} from '@modelcontextprotocol/client';

import { main } from './mcp.mjs';

await main({
  UnauthorizedError,
  prepare({ url, revision }, authProvider, fetch) {
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch });
    const versionNegotiation = { mode: revision ? { pin: revision } : 'legacy' };
    return { client: new Client({ name: 'client', version: '1' }, { versionNegotiation }), transport };
  },
  finish: (transport, arrived) => transport.finishAuth(arrived.searchParams),
  connection: (client) => ({ protocol: client.getNegotiatedProtocolVersion(), era: client.getProtocolEra() }),
  discover: (client) => (client.getProtocolEra() === 'modern' ? client.discover() : undefined),
  status: (error) => error.status ?? error.data?.status,
  errorCode: (error) => error.code ?? `${error}`,
  async refresh(issuer, clientInformation, refreshToken, resource) {
    const metadata = await discoverAuthorizationServerMetadata(issuer);
    return refreshAuthorization(issuer, { metadata, clientInformation, refreshToken, resource });
  },
});
