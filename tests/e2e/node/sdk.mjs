// The first generation of the TypeScript SDK.
import {
  UnauthorizedError, discoverAuthorizationServerMetadata, refreshAuthorization,
} from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { main } from './mcp.mjs';

await main({
  UnauthorizedError,
  prepare({ url }, authProvider, fetch) {
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch });
    return { client: new Client({ name: 'sdk', version: '1' }), transport };
  },
  finish: (transport, arrived) => transport.finishAuth(arrived.searchParams.get('code')),
  connection: (client) => ({ protocol: client.transport.protocolVersion }),
  status: (error) => error.code,
  errorCode: (error) => error.errorCode ?? `${error}`,
  async refresh(issuer, clientInformation, refreshToken, resource) {
    const metadata = await discoverAuthorizationServerMetadata(issuer);
    return refreshAuthorization(issuer, { metadata, clientInformation, refreshToken, resource });
  },
});
