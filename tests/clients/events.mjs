// Reads events off a client of subscriptions, whichever its transport is.

/** Subscribe, stop after `take` events, and tell what came. */
export function collect(client, payload, { take = 3, seconds = 15 } = {}) {
  return new Promise((resolve) => {
    const seen = { events: [], isComplete: false, failure: '' };
    let dispose = () => {};
    const end = () => {
      clearTimeout(timer);
      resolve(seen);
    };
    const timer = setTimeout(() => {
      seen.failure ||= `no end within ${seconds} s`;
      dispose();
      end();
    }, seconds * 1_000);
    dispose = client.subscribe(payload, {
      next(event) {
        if (seen.events.length === take) return;
        seen.events.push(event);
        // The client may not know yet how to dispose when the first event comes.
        if (seen.events.length === take)
          setTimeout(() => {
            dispose();
            end();
          }, 0);
      },
      error(error) {
        seen.failure = describe(error);
        end();
      },
      complete() {
        seen.isComplete = true;
        end();
      },
    });
  });
}

/** Tell in one line whether events came, and whether they are clean. */
export function judge({ events, failure }, least = 2) {
  const faulty = events.filter((event) => event.errors || !event.data?.inventoryChanged?.cursor);
  return {
    holds: !failure && events.length >= least && !faulty.length,
    note: `${events.length} events, ${faulty.length} faulty ${failure} ${JSON.stringify(events.at(-1))}`,
  };
}

function describe(error) {
  if (Array.isArray(error)) return error.map((one) => one.message).join('; ');
  if (typeof error?.code === 'number') return `socket closed: ${error.code} ${error.reason}`;
  if (error?.response) return `HTTP ${error.response.status}: ${error.message}`;
  return error?.message ?? String(error);
}
