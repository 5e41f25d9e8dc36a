/** Lets those that name the same thing do theirs one after the other, in the order in which they come. */
export function inTurns(): <T>(
  name: string,
  act: () => Promise<T>,
) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (name, act) => {
    const before = last.get(name);
    const turn = before ? before.then(act, act) : act();
    last.set(name, turn);
    try {
      return await turn;
    } finally {
      if (last.get(name) === turn) last.delete(name);
    }
  };
}
