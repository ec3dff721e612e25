"""The door: GraphQL over HTTP, who may come in, GraphiQL, health."""
