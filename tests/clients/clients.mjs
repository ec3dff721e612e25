// Two client libraries as applications use them, and a reader of multipart answers.
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client, cacheExchange, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { meros } from 'meros/browser';
import { data, report, timed } from './report.mjs';
import { MUTATION, SUBSCRIPTION, writing, written } from './writes.mjs';

const [url] = process.argv.slice(2);
const checks = report('clients');
const { owner, input } = await written(url);
const variables = { owner };
const QUERY = `query Containers($owner: OwnerInput!) {
  inventory(owner: $owner) { id containers { nodes { id kind capacity } pageInfo { hasNextPage } } }
}`;
const INVALID = '{ noSuchField }';
const DEFERRED = '{ inventoryViewer { owners { id ... @defer { name inventory { id } } } } }';
const plain = await data(url, QUERY, variables);

/** Make a fetch that remembers what went over the wire. */
function recorder() {
  const sent = [];
  const recorded = async (address, init = {}) => {
    const response = await fetch(address, { ...init, signal: init.signal ?? AbortSignal.timeout(20_000) });
    const type = response.headers.get('content-type') ?? '';
    sent.push({
      method: init.method ?? 'GET',
      url: String(address),
      body: String(init.body ?? ''),
      status: response.status,
      type,
    });
    return response;
  };
  return { fetch: recorded, sent };
}
const apollo = (link, options = {}) => new ApolloClient({ link, cache: new InMemoryCache(), ...options });
const http = (options = {}) => new HttpLink({ uri: url, fetch, ...options });
const urql = (options = {}) =>
  new Client({ url, fetch, preferGetMethod: false, exchanges: [fetchExchange], ...options });
const sha = (text) => createHash('sha256').update(text).digest('hex');
/** Say whether all that is wanted was got; clients add `__typename`. */
const within = (wanted, got) =>
  wanted === got ||
  (typeof wanted === 'object' &&
    wanted !== null &&
    typeof got === 'object' &&
    got !== null &&
    Object.keys(wanted).every((key) => within(wanted[key], got[key])));

async function step(what, run) {
  try {
    await timed(run(), 40_000);
  } catch (error) {
    checks.check(false, what, error?.message ?? error);
  }
}

await step('apollo: query', async () => {
  const { fetch, sent } = recorder();
  const client = apollo(http({ fetch }));
  const answer = await client.query({ query: gql(QUERY), variables });
  checks.check(within(plain, answer.data), 'apollo: a query over POST', sent[0].type);
  await client.query({ query: gql(QUERY), variables });
  checks.check(sent.length === 1, 'apollo: a repeat comes from its cache', `${sent.length} requests`);
});
await step('apollo: query over GET', async () => {
  const { fetch, sent } = recorder();
  const answer = await apollo(http({ fetch, useGETForQueries: true })).query({ query: gql(QUERY), variables });
  checks.check(within(plain, answer.data) && sent[0].method === 'GET', 'apollo: a query over GET');
});
await step('apollo: invalid query', async () => {
  const error = await apollo(http())
    .query({ query: gql(INVALID) })
    .then(
      (answer) => answer.error,
      (thrown) => thrown,
    );
  checks.check(error?.name === 'CombinedGraphQLErrors', 'apollo: an invalid query is a GraphQL error', error?.message);
});
await step('urql: query', async () => {
  for (const [method, preferGetMethod] of Object.entries({ POST: false, GET: 'force' })) {
    const { fetch, sent } = recorder();
    const client = urql({ fetch, preferGetMethod, exchanges: [cacheExchange, fetchExchange] });
    const answer = await client.query(QUERY, variables).toPromise();
    const holds = !answer.error && within(plain, answer.data) && sent[0].method === method;
    checks.check(holds, `urql: a query over ${method}`, answer.error?.message);
  }
  const { error } = await urql().query(INVALID, {}).toPromise();
  checks.check(
    error?.graphQLErrors.length && !error.networkError,
    'urql: an invalid query is a GraphQL error',
    error?.message,
  );
});
await step('mutation', async () => {
  const one = await apollo(http()).mutate({
    mutation: gql(MUTATION),
    variables: { input: input('Written by Apollo Client.') },
  });
  checks.check(one.data?.updateItems.items.length && !one.error, 'apollo: a mutation', one.error?.message);
  const other = await urql()
    .mutation(MUTATION, { input: input('Written by urql.') })
    .toPromise();
  checks.check(other.data?.updateItems.items.length && !other.error, 'urql: a mutation', other.error?.message);
});

// Persisted queries: the first request has a hash alone, the second the text too; the next time the hash is enough.
async function persisted(who, run) {
  const { fetch, sent } = recorder();
  const first = await run(fetch);
  const before = sent.length;
  const again = await run(fetch);
  const hasText = ({ body, url: address }) => /"query":/.test(body) || /[?&]query=/.test(address);
  const holds =
    within(plain, first) &&
    within(plain, again) &&
    !hasText(sent[0]) &&
    before === 2 &&
    hasText(sent[1]) &&
    sent.length === 3 &&
    !hasText(sent[2]);
  checks.check(
    holds,
    `${who}: a persisted query is sent as its hash alone`,
    sent.map(({ method, status }) => `${method} ${status}`),
  );
}
const unique = (who) => QUERY.replace('Containers', `Containers${who}${process.pid}`);
for (const method of ['POST', 'GET']) {
  await step(`apollo: persisted query over ${method}`, () =>
    persisted(`apollo, ${method}`, async (fetch) => {
      const link = ApolloLink.from([
        new PersistedQueryLink({ sha256: sha, useGETForHashedQueries: method === 'GET' }),
        http({ fetch }),
      ]);
      const query = gql(unique(`Apollo${method}`));
      return (await apollo(link).query({ query, variables, fetchPolicy: 'no-cache' })).data;
    }),
  );
}
await step('urql: persisted query', () =>
  persisted('urql', async (fetch) => {
    const exchange = persistedExchange({
      preferGetForPersistedQueries: false,
      generateHash: async (text) => sha(text),
    });
    return (
      await urql({ fetch, exchanges: [exchange, fetchExchange] })
        .query(unique('Urql'), variables)
        .toPromise()
    ).data;
  }),
);
await step('a wrong hash', async () => {
  const extensions = { persistedQuery: { version: 1, sha256Hash: sha('{ something: else }') } };
  const body = JSON.stringify({ query: '{ a: __typename }', extensions });
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { errors } = await response.json();
  checks.check(errors, 'a hash that is not that of its text is refused', errors?.[0].message);
});

await step('incremental delivery', async () => {
  const whole = await data(url, DEFERRED.replace('... @defer', '...'));
  const accept = 'multipart/mixed;deferSpec=20220824, multipart/mixed, application/json';
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify({ query: DEFERRED }),
  });
  const type = response.headers.get('content-type') ?? '';
  if (!checks.check(/^multipart\/mixed/.test(type), '@defer gets a multipart answer', type)) return;
  const parts = [];
  for await (const part of await meros(response)) parts.push(part);
  const isClean =
    parts.length > 1 && parts.every((part, index) => part.json && part.body.hasNext === index < parts.length - 1);
  checks.check(isClean, 'meros reads the parts, and the last alone says so', `${parts.length} parts`);
  const isNewer = parts.some((part) => part.body.pending);
  const Handler = isNewer ? GraphQL17Alpha9Handler : Defer20220824Handler;
  const seen = [];
  await timed(
    new Promise((done, refuse) => {
      apollo(http(), { incrementalHandler: new Handler() })
        .watchQuery({ query: gql(DEFERRED) })
        .subscribe({
          next(state) {
            seen.push(state);
            if (state.error) refuse(state.error);
            if (state.dataState === 'complete' && !state.loading) done();
          },
          error: refuse,
        });
    }),
  );
  const form = isNewer ? 'the form with pending and completed' : 'the form of 2022';
  checks.check(
    within(whole, seen.at(-1).data),
    `apollo: @defer merges to the whole, ${form}`,
    seen.map((state) => state.dataState),
  );
  const results = [];
  await timed(
    new Promise((done) => {
      urql()
        .query(DEFERRED, {})
        .subscribe((result) => {
          results.push(result);
          if (!result.hasNext) done();
        });
    }),
  );
  const isWhole = !results.at(-1).error && within(whole, results.at(-1).data) && results.length > 1;
  checks.check(
    isWhole,
    'urql: @defer merges to the whole',
    `${results.length} results ${results.at(-1).error?.message ?? ''}`,
  );
});

const { stop } = await writing(url);
await step('apollo: subscription over multipart HTTP', async () => {
  const { fetch, sent } = recorder();
  const events = [];
  let subscription;
  await timed(
    new Promise((done, refuse) => {
      subscription = apollo(http({ fetch }))
        .subscribe({ query: gql(SUBSCRIPTION), variables })
        .subscribe({
          next(event) {
            if (event.error) refuse(event.error);
            events.push(event);
            if (events.length === 2) done();
          },
          error: refuse,
          complete: () => refuse(new Error('it ended')),
        });
    }),
  ).finally(() => subscription.unsubscribe());
  const holds = /^multipart\/mixed/.test(sent[0].type) && events.every((event) => event.data?.inventoryChanged.cursor);
  checks.check(holds, 'apollo: a subscription over multipart HTTP', `${events.length} events, ${sent[0].type}`);
});
await step('urql: subscription over fetch', async () => {
  const { fetch, sent } = recorder();
  const results = [];
  let subscription;
  await timed(
    new Promise((done) => {
      subscription = urql({ fetch, fetchSubscriptions: true })
        .subscription(SUBSCRIPTION, variables)
        .subscribe((result) => {
          results.push(result);
          if (result.error || results.length === 2) done();
        });
    }),
  ).finally(() => subscription.unsubscribe());
  const holds = results.every((result) => !result.error && result.data?.inventoryChanged.cursor);
  checks.check(
    holds,
    'urql: a subscription over fetch',
    `${results.length} results, ${sent[0].type} ${results.at(-1).error?.message ?? ''}`,
  );
});
stop();
checks.end();
