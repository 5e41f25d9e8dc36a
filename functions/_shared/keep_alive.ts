declare global {
  /** Supabase's edge runtime; absent where Deno serves the functions itself. */
  var EdgeRuntime: { waitUntil(work: Promise<unknown>): void } | undefined;
}

/**
 * Does work that must end even if the client hangs up meanwhile: once credits are
 * charged, the job is to be settled or refunded, also when nobody is listening any more.
 */
export function keepAlive<T>(work: () => Promise<T>): Promise<T> {
  const promise = work();
  globalThis.EdgeRuntime?.waitUntil(promise.catch(() => undefined));
  return promise;
}
