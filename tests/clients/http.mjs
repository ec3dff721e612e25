// GraphQL over HTTP: every audit that graphql-http ships, whether it is a MUST, a SHOULD or a MAY.
import { serverAudits } from 'graphql-http';
import { report } from './report.mjs';

const [url] = process.argv.slice(2);
const checks = report('http');
const fetchFn = (address, init) => fetch(address, { ...init, signal: AbortSignal.timeout(15_000) });
for (const audit of serverAudits({ url, fetchFn })) {
  const { status, reason } = await Promise.resolve(audit.fn()).catch((error) => ({ status: 'error', reason: error }));
  checks.check(status === 'ok', `${audit.id} ${audit.name}`, status === 'ok' ? '' : `${status}: ${reason}`);
}
checks.end();
