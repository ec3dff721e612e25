// Where Monaco's workers are; the build puts the names of their files in for WORKERS.
globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    return new Worker(new URL(WORKERS[label] ?? WORKERS.editor, import.meta.url), { name: label });
  },
};
