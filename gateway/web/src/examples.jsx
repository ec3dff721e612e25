// Examples of each provider: a list to choose from, each opened in a tab of its own.
import { UnStyledButton, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { Kind, TokenKind, parse } from "graphql";
import { gateway } from "./gateway.js";

/** Take a document apart into its named operations, each with the comment above it. */
function examples(text) {
  return parse(text)
    .definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)
    .map(({ name, operation, loc }) => {
      const comments = [];
      let start = loc.startToken;
      while (start.prev.kind === TokenKind.COMMENT) {
        start = start.prev;
        comments.unshift(start.value.trim());
      }
      return {
        name: name.value,
        operation,
        told: comments.join(" "),
        text: `${text.slice(start.start, loc.end)}\n`,
      };
    });
}

const PROVIDERS = gateway.examples.map(({ provider, title, text }) => ({ provider, title, shown: examples(text) }));

/** Write a name as words: `BagsOfCharacters` as `Bags of characters`. */
function words(name) {
  const spaced = name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, " ").toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** Set what stands between backticks as code. */
function marked(told) {
  return told.split("`").map((part, place) => (place % 2 ? <code key={place}>{part}</code> : part));
}

function Content() {
  const { addTab, changeTab } = useGraphiQLActions();
  const tabs = useGraphiQL((state) => state.tabs);
  const editor = useGraphiQL((state) => state.queryEditor);

  function open({ text }) {
    const place = tabs.findIndex(({ query }) => query === text);
    if (place >= 0) return changeTab(place);
    addTab();
    editor.setValue(text);
    editor.focus();
  }

  return (
    <section className="gateway-plugin" aria-label="Examples">
      <div className="gateway-title">Examples</div>
      {PROVIDERS.map(({ provider, title, shown }) => (
        <section key={provider}>
          <h3>{title}</h3>
          <ul>
            {shown.map((example) => (
              <li key={example.name}>
                <UnStyledButton type="button" className="gateway-example" onClick={() => open(example)}>
                  <strong>{words(example.name)}</strong>
                  {example.operation !== "query" && <em>{example.operation}</em>}
                  <span>{marked(example.told)}</span>
                </UnStyledButton>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </section>
  );
}

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M9.5 6H21M9.5 12H21M9.5 18H21" strokeLinecap="round" />
      <path d="m3 4.25 3 1.75-3 1.75zM3 10.25 6 12l-3 1.75zM3 16.25 6 18l-3 1.75z" strokeLinejoin="round" />
    </svg>
  );
}

export const EXAMPLES = { title: "Examples", icon: Icon, content: Content };
