// Subscriptions as server-sent events: the graphql-sse client with a connection for each, then the stream itself.
import { createClient } from 'graphql-sse';
import { collect, judge } from './events.mjs';
import { report } from './report.mjs';
import { SUBSCRIPTION, writing } from './writes.mjs';

const [url] = process.argv.slice(2);
const checks = report('sse');
const { variables, stop } = await writing(url);
const payload = { query: SUBSCRIPTION, variables };
const open = () => createClient({ url, singleConnection: false, retryAttempts: 0, fetchFn: fetch });
const post = (body, accept, signal) =>
  fetch(url, {
    method: 'POST',
    signal,
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify(body),
  });

const { holds, note } = judge(await collect(open(), payload));
checks.check(holds, 'events come', note);
const query = await collect(open(), { query: '{ __typename }' });
checks.check(
  query.events[0]?.data?.__typename === 'Query' && query.isComplete,
  'a query gives one result, and completes',
  query.failure,
);
const many = await Promise.all([1, 2, 3].map(() => collect(open(), payload, { take: 1 })));
checks.check(
  many.every((one) => judge(one, 1).holds),
  'three streams at once',
  many.map((one) => one.failure).join(' '),
);

{
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), 15_000);
  let text = '',
    type = '';
  try {
    const response = await post(payload, 'text/event-stream', end.signal);
    type = response.headers.get('content-type') ?? '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      if ((text.match(/^event: ?next/gm) ?? []).length === 2) break;
    }
  } catch (error) {
    text += `\n[${error.name}]`;
  }
  clearTimeout(timer);
  end.abort();
  checks.check(/^text\/event-stream/.test(type), 'the media type is text/event-stream', type);
  checks.check(
    /^event: ?next\r?\ndata: ?\{.*\}\r?\n\r?\n/m.test(text),
    'events are named next and carry JSON',
    text.slice(0, 80),
  );
}
{
  // urql offers to take a stream with every query.
  const accept = 'application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.1';
  const response = await post({ query: '{ __typename }' }, accept, AbortSignal.timeout(10_000));
  const type = response.headers.get('content-type') ?? '';
  await response.body?.cancel();
  checks.check(/json/.test(type), 'a query that would rather have JSON gets JSON', type);
}
stop();
checks.end();
