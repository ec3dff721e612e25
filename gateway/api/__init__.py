"""The entry points: queries, mutations, the loaders behind them, the request's context, the schema."""
