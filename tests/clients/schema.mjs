// The schema, as graphql-eslint sees it: what it recommends for every schema, and what Relay asks of one.
import { readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { ESLint } from 'eslint';
import plugin, { parser } from '@graphql-eslint/eslint-plugin';
import { plain } from './plain.mjs';
import { report } from './report.mjs';

// Rules that ask for more than is right here, each with what is asked instead.
const SETTINGS = {
  // Connections, edges, pages of information and values have no id, and need none.
  'strict-id-in-types': 'off',
  // A plain list, of tags or of slots, is no connection.
  'relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
  // Relay's specification asks for one direction at least; lists of a service that pages forwards only have no other.
  'relay-arguments': ['error', { includeBoth: false }],
};
// Single findings that are meant, each with its reason.
const MEANT = {
  'Field "containers" starts with the name of the parent type "Container"': 'a container in a container',
  'Field "collectibleItemId" starts with the name of the parent type "Collectible"': "the service's own word",
  'Field "collectibleInstanceId" starts with the name of the parent type "Collectible"': "the service's own word",
};

const file = 'work/plain.graphql';
mkdirSync('work', { recursive: true });
writeFileSync(file, plain(readFileSync('../../schema.graphql', 'utf8')));
const checks = report('schema');
const seen = new Set();
for (const name of ['schema-recommended', 'schema-relay']) {
  const { rules: usual } = plugin.configs[`flat/${name}`];
  const rules = Object.fromEntries(
    Object.entries(usual)
      .map(([rule, setting]) => [rule, SETTINGS[rule.split('/')[1]] ?? setting])
      .filter(([, setting]) => setting !== 'off'),
  );
  const eslint = new ESLint({
    overrideConfigFile: true,
    ignore: false,
    overrideConfig: [
      {
        files: ['**/*.graphql'],
        languageOptions: { parser, parserOptions: { graphQLConfig: { schema: file } } },
        plugins: { '@graphql-eslint': plugin },
        rules,
      },
    ],
  });
  const [{ messages }] = await eslint.lintFiles([file]);
  for (const rule of Object.keys(rules)) {
    const found = messages.filter((message) => message.ruleId === rule && !(message.message in MEANT));
    const lines = found.map((message) => `\n     line ${message.line}: ${message.message.split('\n')[0]}`);
    checks.check(!found.length, `${name}: ${rule.split('/')[1]}`, found.length ? `${found.length} findings` : '');
    if (lines.length) console.log(lines.join(''));
  }
  const broken = messages.filter((message) => !message.ruleId);
  checks.check(!broken.length, `${name}: the schema is read`, broken[0]?.message);
  messages.forEach((message) => seen.add(message.message));
}
const idle = Object.keys(MEANT).filter((message) => !seen.has(message));
checks.check(!idle.length, 'every finding that is meant is still found', idle.join('; '));
checks.end();
