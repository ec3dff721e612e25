// What the demo holds: something of every type, found by walking from who is asking.
import { data } from './report.mjs';

const HELD = `{
  inventoryViewer { owners { __typename id provider key inventory {
    __typename id
    containers(first: 50) { nodes { ...Place descendants(first: 50) { nodes { ...Place } } } }
    views: containers(kind: VIEW, first: 50) { nodes { ...Place } }
    items(first: 100) { nodes { __typename id definition { ...Entry }
      ... on GuildWars2Item {
        skin { ...Entry } upgrades { ...Entry } dyes { ...Entry } stats { definition { ...Entry } } } } }
    catalogue(first: 20) { nodes { ...Entry } }
  } } }
}
fragment Place on Container { __typename id key slots { __typename id } items(first: 20) { nodes { __typename id } }
  ... on GuildWars2Storage { category { ...Entry } }
  ... on RobloxCollection { entries(first: 20) { nodes { ...Entry } } } }
fragment Entry on ItemDefinition { __typename id provider key }`;

/** Give the owners, and by the name of each type the things of it, each with its `id` and what else is its key. */
export async function world(url) {
  const held = await data(url, HELD);
  const things = new Map();
  const collect = (value) => {
    if (Array.isArray(value)) return value.forEach(collect);
    if (!value || typeof value !== 'object') return;
    if (value.__typename && value.id) {
      if (!things.has(value.__typename)) things.set(value.__typename, new Map());
      const { __typename, id, provider, key } = value;
      things.get(__typename).set(id, { __typename, id, provider, key });
    }
    Object.values(value).forEach(collect);
  };
  collect(held);
  return {
    owners: held.inventoryViewer.owners.map(({ provider, key }) => ({ provider, key })),
    of: (type) => [...(things.get(type)?.values() ?? [])],
    types: [...things.keys()].sort(),
  };
}
