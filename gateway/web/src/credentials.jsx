// The credentials that travel with every operation: kept in this tab's session storage, and nowhere else.
import { Button, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useId, useSyncExternalStore } from "react";
import { gateway } from "./gateway.js";

const STORED = "gateway:credentials";
const TOKEN = "Authorization";

const listeners = new Set();
let values = stored();

function stored() {
  const known = new Set([TOKEN, ...gateway.credentials.flatMap(({ parts }) => parts.map(({ header }) => header))]);
  try {
    const entries = Object.entries(JSON.parse(sessionStorage.getItem(STORED) ?? "{}"));
    // What the gateway does not know it refuses.
    return Object.fromEntries(entries.filter(([header, value]) => known.has(header) && typeof value === "string"));
  } catch {
    return {};
  }
}

function keep(changed) {
  values = changed;
  try {
    sessionStorage.setItem(STORED, JSON.stringify(values));
  } catch {
    // A browser that keeps nothing: they last as long as the page.
  }
  for (const listener of listeners) listener();
}

function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Give the headers of the credentials that were typed in. */
export function headers() {
  const given = Object.entries(values).map(([header, value]) => [header, value.trim()]);
  return Object.fromEntries(
    given
      .filter(([, value]) => value)
      .map(([header, value]) => [header, header === TOKEN ? `Bearer ${value.replace(/^bearer\s+/i, "")}` : value]),
  );
}

function Field({ header, title }) {
  const id = useId();
  const value = useSyncExternalStore(listen, () => values[header] ?? "");
  const schema = useGraphiQL((state) => state.schema);
  const { introspect } = useGraphiQLActions();
  return (
    <div className="gateway-field">
      <label htmlFor={id}>{title}</label>
      <input
        id={id}
        type="password"
        title={header}
        // So no browser offers to keep it for another day.
        autoComplete="one-time-code"
        autoCapitalize="off"
        spellCheck={false}
        value={value}
        onChange={(event) => keep({ ...values, [header]: event.target.value })}
        // Without its token the gateway has not told its schema.
        onBlur={() => schema || introspect()}
      />
    </div>
  );
}

function Content() {
  const isEmpty = useSyncExternalStore(listen, () => Object.values(values).every((value) => !value));
  return (
    <section className="gateway-plugin" aria-label="Credentials">
      <div className="gateway-title">Credentials</div>
      <p>Sent with every operation. They stay in this tab of the browser and are gone when it is closed.</p>
      <fieldset>
        <legend>This gateway</legend>
        <Field header={TOKEN} title="bearer token" />
      </fieldset>
      {gateway.credentials.map(({ provider, title, parts }) => (
        <fieldset key={provider}>
          <legend>{title}</legend>
          {parts.map((part) => (
            <Field key={part.header} header={part.header} title={part.title} />
          ))}
        </fieldset>
      ))}
      <Button type="button" disabled={isEmpty} onClick={() => keep({})}>
        Forget all
      </Button>
    </section>
  );
}

function Icon() {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <circle cx="8" cy="15" r="4.25" />
      <path d="M11 12 20 3M16 7l3 3M13.5 9.5l2 2" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

export const CREDENTIALS = { title: "Credentials", icon: Icon, content: Content };
