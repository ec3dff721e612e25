// Stands before a server, passes on what comes, and remembers with which headers it came.
import { createServer, request } from 'node:http';

/** Listen before an address; `heard` holds the headers of each request, `address` is where to ask instead. */
export async function listenBefore(target) {
  const { hostname, port, pathname: path } = new URL(target);
  const heard = [];
  const server = createServer((incoming, outgoing) => {
    heard.push(incoming.headers);
    const headers = { ...incoming.headers, host: `${hostname}:${port}` };
    const onward = request({ hostname, port, path, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return { heard, address: `http://127.0.0.1:${server.address().port}${path}` };
}
