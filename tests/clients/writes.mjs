// A stream of harmless writes to the demo, and the subscription that tells of them.
import { data } from './report.mjs';

export const SUBSCRIPTION = `subscription ($owner: OwnerInput!) {
  inventoryChanged(owner: $owner) { cursor at isReset changes { createdIds updatedIds movedIds removedIds } }
}`;
export const MUTATION = `mutation ($input: UpdateItemsInput!) {
  updateItems(input: $input) { items { id } changes { updatedIds } errors { message } }
}`;

const FIRST_ITEM = `query ($owner: OwnerInput!) {
  inventory(owner: $owner) { items(first: 100) { nodes { __typename id } } }
}`;

/** Find an agent of the demo's Second Life, and an item of theirs to write to. */
export async function written(url) {
  const { inventoryViewer } = await data(url, '{ inventoryViewer { owners { provider key } } }');
  const owner = inventoryViewer.owners.find((one) => one.provider === 'SECOND_LIFE' && one.key !== 'library');
  const { inventory } = await data(url, FIRST_ITEM, { owner });
  const { id } = inventory.items.nodes.find((item) => item.__typename === 'SecondLifeItem');
  const input = (description) => ({ items: [{ id, description }] });
  return { owner, input };
}

/** Write until told to stop: only a description changes, so that nothing which others read moves or grows. */
export async function writing(url, every = 300) {
  const { owner, input } = await written(url);
  let turn = 0;
  const failures = new Set();
  const timer = setInterval(() => {
    const text = `Written for the client suites: ${process.pid}, ${turn++}.`;
    data(url, MUTATION, { input: input(text) }).catch(({ message }) => {
      if (!failures.has(message)) console.log(`a write failed: ${message}`);
      failures.add(message);
    });
  }, every);
  return { variables: { owner }, stop: () => clearInterval(timer) };
}
