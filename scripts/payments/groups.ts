/** How many are asked for at a time: a provider answers so many without refusing. */
const AT_A_TIME = 8;

/** Does something to each item, a few at a time, and keeps their order. */
export async function inGroups<T, R>(
  items: readonly T[],
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += AT_A_TIME) {
    const group = items.slice(at, at + AT_A_TIME);
    results.push(...await Promise.all(group.map(act)));
  }
  return results;
}
