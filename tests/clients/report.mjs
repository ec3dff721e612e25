// What every suite needs: to ask, to count what holds, and to end with the line that run.py reads.
import { createServer } from 'node:net';

/** Count the checks of one suite. */
export function report(suite) {
  const counts = { ok: 0, failed: 0, skipped: 0 };
  const say = (word, what, note) => {
    const text = String(note).replace(/\s+/g, ' ').slice(0, 300);
    console.log(`${word.padEnd(4)} ${what}${text ? `  -> ${text}` : ''}`);
  };
  return {
    check(holds, what, note = '') {
      counts[holds ? 'ok' : 'failed']++;
      say(holds ? 'ok' : 'FAIL', what, note);
      return Boolean(holds);
    },
    skip(what, why) {
      counts.skipped++;
      say('SKIP', what, why);
    },
    end() {
      const skipped = counts.skipped ? `, ${counts.skipped} skipped` : '';
      console.log(`${suite}: ${counts.ok} ok, ${counts.failed} failed${skipped}`);
      process.exit(counts.failed || !counts.ok ? 1 : 0);
    },
  };
}

/** Send an operation, and give the status with the answer, whatever it is. */
export async function ask(url, query, variables = {}, headers = {}) {
  const response = await fetch(url, {
    method: 'POST',
    signal: AbortSignal.timeout(20_000),
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  try {
    return { status: response.status, ...JSON.parse(text) };
  } catch {
    return { status: response.status, errors: [{ message: `not JSON: ${text.slice(0, 120)}` }] };
  }
}

/** Send an operation that has to succeed, and give its data. */
export async function data(url, query, variables) {
  const answer = await ask(url, query, variables);
  if (answer.errors || !answer.data) throw new Error(faults(answer) || `HTTP ${answer.status}`);
  return answer.data;
}

/** Tell the errors of an answer in one line. */
export const faults = (answer) => (answer.errors ?? []).map((error) => error.message).join('; ');

/** Give the value of an option, `--name=value`. */
export const option = (name, otherwise) =>
  process.argv.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise;

export const pause = (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds));

/** Fail where a promise takes too long. */
export function timed(promise, milliseconds = 20_000) {
  let timer;
  const late = new Promise((_, refuse) => {
    timer = setTimeout(() => refuse(new Error(`no answer within ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Find a port of this machine that nobody listens on. */
export const freePort = () =>
  new Promise((found) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
