"""One folder, one provider, the same files in each; a provider knows no other."""
