import { AsyncLocalStorage } from "node:async_hooks";

/** The Range header of the request that is answered now: the library does not hand it to its adapter. */
const wanted = new AsyncLocalStorage<string | null>();

/** Answers a request, and meanwhile knows which part of an object it asks for. */
export function withRange<T>(request: Request, answer: () => T): T {
  return wanted.run(request.headers.get("range"), answer);
}

/**
 * First and last byte that the request asks for; undefined for the whole object, as for a range that HTTP lets a
 * server pass over: of several parts, or none that there is.
 */
export function rangeWanted(
  size: number,
): { first: number; last: number } | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(wanted.getStore() ?? "") ??
    [];
  if (!from && !to) return undefined;
  const first = from ? Number(from) : Math.max(0, size - Number(to));
  const last = from && to ? Math.min(Number(to), size - 1) : size - 1;
  return first <= last ? { first, last } : undefined;
}
