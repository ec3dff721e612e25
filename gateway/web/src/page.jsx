// The page: GraphiQL over this gateway's graph, with plugins for its credentials and its examples.
import { GraphiQL } from "graphiql";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "./page.css";
import "./workers.js";
import { CREDENTIALS } from "./credentials.jsx";
import { EXAMPLES } from "./examples.jsx";
import { fetcher } from "./fetcher.js";
import { gateway } from "./gateway.js";

// The same list at each rendering: GraphiQL takes another one for a change.
const PLUGINS = [EXAMPLES, CREDENTIALS, HISTORY_PLUGIN];

const isFirstVisit = localStorage.getItem("graphiql:tabState") === null;

function Page() {
  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={PLUGINS}
      visiblePlugin={isFirstVisit ? EXAMPLES : undefined}
      defaultQuery={gateway.query}
      defaultEditorToolsVisibility={false}
      // What is typed into GraphiQL's own editor of headers lands in its history, which outlives the tab.
      isHeadersEditorEnabled={false}
      shouldPersistHeaders={false}
      showPersistHeadersSettings={false}
      inputValueDeprecation
      schemaDescription
    >
      <GraphiQL.Logo>
        <span className="gateway-name">Inventory Gateway</span>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

createRoot(document.getElementById("page")).render(<Page />);
